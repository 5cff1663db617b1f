"""Names become paths and words of commands, so few characters are let in."""

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.names import require_name


@pytest.mark.parametrize("name", ["coco_cross", "k-means", "v1.5", "2014", "a..b", "A"])
def test_plain_names_are_returned(name: str) -> None:
    assert require_name(name, "a benchmark", "benchmarks") == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../..", "a/b", "a\\b", "-rf", "_helper", "a.", "a b", "a;b",
        "a&b", "a|b", "$(a)", "`a`", "a'b", 'a"b', "a\n", "a\nb", "a\0b", "~", "*",
        "é", "٣", "a" * 101, None, 5, True, ["a"],
    ],
)  # fmt: skip
def test_what_a_shell_or_a_path_could_take_otherwise_is_refused(name: object) -> None:
    with pytest.raises(MmclustError) as caught:
        require_name(name, "a benchmark", "benchmarks in params.yaml")
    message = str(caught.value)
    assert "The name of a benchmark cannot be used" in message
    assert "benchmarks in params.yaml" in message
    assert repr(name)[:50] in message
    assert "\0" not in message

"""What dvc.lock says, read as DVC writes it."""

import pytest
import yaml

from mmclust.core.dvc_lock import maker, md5, parse_lock
from mmclust.core.errors import MmclustError
from tests.conftest import ROOT


def test_stages_are_those_that_yaml_has():
    """This repository's own: every stage, dep and out."""
    data = (ROOT / "dvc.lock").read_bytes()
    expected = yaml.safe_load(data)["stages"]
    stages = parse_lock(data)
    assert [stage.name for stage in stages] == list(expected)
    for stage in stages:
        for section in ("deps", "outs"):
            listed = expected[stage.name].get(section, [])
            assert getattr(stage, section) == {e["path"]: e["md5"] for e in listed}
    path = next(iter(stages[0].outs))
    assert maker(stages, path) == stages[0]
    assert maker(stages, "nowhere") is None


def test_a_digest_of_digits_stays_text():
    lock = b"stages:\n  a:\n    outs:\n    - path: b\n      md5: 1234e567890\n"
    assert parse_lock(lock)[0].outs == {"b": "1234e567890"}
    assert md5(b"") == "d41d8cd98f00b204e9800998ecf8427e"


@pytest.mark.parametrize("data", [None, b"", b"[]", b"stages: 1", b"stages: {a: 1}"])
def test_nothing_is_no_stage(data):
    assert parse_lock(data) == []


def test_a_damaged_one_is_told():
    with pytest.raises(MmclustError, match="is not valid YAML"):
        parse_lock(b"a: [", "dvc.lock")

"""One reader for YAML: what DVC would read, with lines in its errors."""

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mmclust.core.errors import MmclustError
from mmclust.core.yaml_file import parse_lock, parse_yaml, read_yaml
from tests.conftest import ROOT

SCALARS = """
1e-05 5e-1 1e5 1E5 +1e5 .5 .5e+1 1. 1.e3 1_000 1_000.5 010 0o10 0x1F 0b11 08 09.5 -010
+5 -5 yes no on off y n Yes NO true True TRUE tRUE false null Null NULL ~ nan .nan .NaN
.inf -.inf +.inf inf 12:30 1:30:00 190:20:30.15 1e 0x 0o 0b _ _1 1__0 0_1 -. 1e+ 1.0e5
.e5 -0 00 0o08 -0x1F 1.2.3 0.1_0 _5 é 1,5 0.00001 0.2.1 1-2
"""


def same(one: object, other: object) -> bool:
    both_nan = all(isinstance(v, float) and math.isnan(v) for v in (one, other))
    return type(one) is type(other) and (both_nan or one == other)


@pytest.mark.parametrize("text", SCALARS.split())
def test_scalars_are_what_dvc_takes_them_for(text: str) -> None:
    expected = YAML(typ="safe").load(f"a: {text}")["a"]
    assert same(parse_yaml(f"a: {text}", "x")["a"], expected)


@given(st.text("0123456789.eE+-_xobaf", min_size=1, max_size=8))
def test_numbers_of_any_shape_are_dvcs(text: str) -> None:
    try:
        expected = YAML(typ="safe").load(f"a: {text}")
        got = parse_yaml(f"a: {text}", "x")
    except Exception:  # noqa: BLE001 (two reasons: text that either one refuses)
        return
    if not isinstance(expected["a"], (int, float, str)):
        return  # a date, a list
    # Both forms stand in YAML 1.2's core schema, ruamel.yaml wants or adds a sign.
    if isinstance(expected["a"], str) is isinstance(got["a"], str):
        assert same(got["a"], expected["a"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing", None),
        ("a:", {"a": None}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 'no'\nb: \"1e5\"", {"a": "no", "b": "1e5"}),
        ("day: 2001-01-01", {"day": "2001-01-01"}),
        ("a: =", {"a": "="}),
        (".5e1", 5.0),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("!!int '5'", 5),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}", {"a": {"b": 1, "c": 2},
                                                 "d": {"b": 3, "c": 2}}),
        ("[{<<: [{a: 1}, {a: 2, b: 2}]}]", [{"a": 1, "b": 2}]),
        ("a: &n 3\nb: *n", {"a": 3, "b": 3}),
        ("%YAML 1.2\n---\na: no\n...\n", {"a": "no"}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
    ],
)  # fmt: skip
def test_documents(text: str, value: object) -> None:
    assert parse_yaml(text, "x") == value
    assert parse_yaml(text.encode(), "x") == value


def test_text_is_left_alone_where_it_is_asked_for() -> None:
    text = "no: {null: 1e5, on: ~, <<: 010, '': }"
    expected = {"no": {"null": "1e5", "on": "~", "<<": "010", "": ""}}
    assert parse_yaml(text, "x", as_text=True) == expected


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        (b"a: 1\nb: \xff", 2, "byte 0xff"),
        ("a: 1\nb: x".encode("utf-16"), 1, "byte 0xff"),
        (b"a: 1\n\nb: \0", 3, "U+0000"),
        ("a: \x1b[2J", 1, "U+001B"),
        ("a: \udcff", 1, "U+DCFF"),
        ("a: 1\nb: 2\na: 3", 3, "'a' twice"),
        ("x:\n  {a: 1, 'a': 2}", 2, "'a' twice"),
        ("a: [1,\n", 2, "did not find"),
        ("a: b: c", 1, "not allowed"),
        ("a: 1\nb:\n\t- c", 3, "cannot start any token"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("%YAML 1.1\n---\na: no", 1, "%YAML 1.1"),
        ("a: &x\n  b: *x", 2, "*x"),
        ("a: &x [*x]", 1, "*x"),
        ("a: &x 1\nb: &x [*x]", 2, "*x"),
        ("a: *y", 1, "*y"),
        (LAUGHS, 5, "repeat more"),
        ("[" * 100_000, 1, "deeper nesting"),
        ("{a: " * 100_000, 1, "deeper nesting"),
        ("- " * 100_000, 1, "deeper nesting"),
        ("? " * 100_000, 1, "deeper nesting"),
        ("[a]: 1", 1, "as a key"),
        ("a: 1\n!!python/object:os.system b: 1", 2, "python/object"),
        ("!!set {a}", 1, "set"),
        ("!foo 5", 1, "!foo"),
        ("!!int x", 1, "'x'"),
        ("<<: 5", 1, "<<"),
        ("1e999", 1, "1e999"),
        ("9" * 5000, 1, "'9999"),
        ("0x_", 1, "0x_"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(
    text: str | bytes, line: int, found: str
) -> None:
    with pytest.raises(MmclustError) as caught:
        parse_yaml(text, "params.yaml")
    error = caught.value
    assert error.what == "params.yaml is not valid YAML"
    assert error.parts["where"] == f"params.yaml, line {line}"
    assert found in str(error.parts["found"])
    assert len(str(error)) < 500


def test_many_values_without_aliases_are_no_trouble() -> None:
    assert len(parse_yaml("- 1\n" * 30_000, "x")) == 30_000


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(MmclustError, match=r"x\.yaml is missing"):
        read_yaml(tmp_path / "x.yaml")
    with pytest.raises(MmclustError, match="a folder"):
        read_yaml(tmp_path)


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


def test_a_digest_of_digits_stays_text():
    lock = b"stages:\n  a:\n    outs:\n    - path: b\n      md5: 1234e567890\n"
    assert parse_lock(lock)[0].outs == {"b": "1234e567890"}


@pytest.mark.parametrize("data", [None, b"", b"[]", b"stages: 1", b"stages: {a: 1}"])
def test_nothing_is_no_stage(data):
    assert parse_lock(data) == []


def test_a_damaged_one_is_told():
    with pytest.raises(MmclustError, match="is not valid YAML"):
        parse_lock(b"a: [", "dvc.lock")

"""Text from other programs' files."""

from __future__ import annotations

import unicodedata

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.text import (
    decoded,
    json_value,
    look_alikes,
    same_form,
    utf8,
)

CAFE = "caf\u00e9"
DECOMPOSED = unicodedata.normalize("NFD", CAFE)


def test_what_looks_the_same_is_the_same() -> None:
    """A Mac's decomposed name equals the composed one; other text stays."""
    assert DECOMPOSED != CAFE
    assert same_form(DECOMPOSED) == CAFE
    assert same_form("plain ② text") == "plain ② text"


def test_bytes_become_the_text_they_hold() -> None:
    """Also in lists; what is no bytes stays as it is."""
    assert decoded(b"caf\xc3\xa9", "f, c") == CAFE
    assert decoded([b"a", "b", None, [b"c"]], "f, c") == ["a", "b", None, ["c"]]
    for value in (None, 3, 2.5, "b'dog'", {"a": b"x"}):
        assert decoded(value, "f, c") == value


def test_bytes_that_are_no_text_are_refused_as_a_binary_column() -> None:
    """The message names file, column and byte."""
    with pytest.raises(MmclustError) as caught:
        decoded([b"ok", b"a\xff"], "x.parquet, column word")
    assert "binary column" in caught.value.what
    assert caught.value.parts["where"] == "x.parquet, column word"
    assert "0xff" in str(caught.value.parts["found"])


@pytest.mark.parametrize(
    ("data", "line", "found"),
    [
        ("caf\u00e9".encode("latin-1"), 1, "0xe9"),
        (b"one\ntwo\xff", 2, "0xff"),
        ("text".encode("utf-16"), 1, "UTF-16"),
        ("text".encode("utf-32"), 1, "UTF-32"),
    ],
)
def test_other_encodings_are_named(data: bytes, line: int, found: str) -> None:
    """Latin-1 by its byte and line, UTF-16 and UTF-32 by their mark."""
    with pytest.raises(MmclustError) as caught:
        utf8(data, "captions.txt", "A file of captions")
    assert f"captions.txt, line {line}\n" in str(caught.value)
    assert found in str(caught.value.parts["found"])
    assert utf8(b"\xef\xbb\xbfplain", "f") == "plain"


def test_json_that_nests_too_deep_is_a_value_error() -> None:
    """As is what is no JSON."""
    assert json_value(b'{"a": [1]}') == {"a": [1]}
    for text in ("[" * 100_000 + "]" * 100_000, '{"a":' * 100_000, "[1"):
        with pytest.raises(ValueError, match=r"deep|Expecting"):
            json_value(text)


def test_names_that_look_alike_are_listed() -> None:
    """Equal names once more are no look-alikes."""
    assert look_alikes(["a", "a", CAFE]) == ""
    hint = look_alikes([CAFE, "a", DECOMPOSED])
    assert "Unicode form" in hint
    assert CAFE in hint

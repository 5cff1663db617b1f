"""Ids of two files are joined where they look the same and nothing else does."""

import unicodedata

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.ids import as_written, read_ids, read_lines

NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def test_names_are_found_as_the_other_file_writes_them():
    """Either way round; other names stay."""
    assert as_written([NFD, "a", "x"], [NFC, "a"]) == {NFD: NFC, "a": "a", "x": "x"}
    assert as_written([NFC], [NFD]) == {NFC: NFD}


def test_what_could_be_two_stays_as_it_is():
    """Two names that look the same on one side, or the exact one is there as well."""
    assert as_written([NFD, NFC], [NFC]) == {NFD: NFD, NFC: NFC}
    three = "ệ", unicodedata.normalize("NFD", "ệ"), "ẹ\u0302"
    assert as_written([three[0]], three[1:]) == {three[0]: three[0]}
    assert as_written(three[1:], [three[0]]) == {n: n for n in three[1:]}


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbfa\r\nb", ["a", "b"]),
        (b"a\rb\n\n", ["a", "b", ""]),
        ("a\u2028b\x1cc\n".encode(), ["a\u2028b\x1cc"]),
        (b"", []),
    ],
)
def test_lines_end_where_lines_of_a_file_end(tmp_path, data, lines):
    """At line ends alone; a byte order mark is no part of the first."""
    (tmp_path / "x").write_bytes(data)
    assert read_lines(tmp_path / "x", "") == lines


def test_ids_that_are_not_utf8_are_refused(tmp_path):
    """Not replaced by signs that several of them would share."""
    path = tmp_path / "ids.txt"
    path.write_bytes(b"a\ncaf\xe9\n")
    with pytest.raises(MmclustError, match=r"line 2[\s\S]*0xe9"):
        read_ids(path, 2)
    path.write_text("a\na\n")
    with pytest.raises(MmclustError, match="1 different"):
        read_ids(path, 2)
    assert read_ids(None, 2) == ["0", "1"]

"""Concreteness ratings: the published rule, and what is refused."""

import pytest

from mmclust.cognition.norms import read_ratings
from mmclust.core.errors import MmclustError
from tests.cognition.real import NORMS, real

HEADER = (
    "Word\tBigram\tConc.M\tConc.SD\tUnknown\tTotal\tPercent_known\tSUBTLEX\tDom_Pos"
)
ROWS = (
    "roadsweeper\t0\t4.85\t0.37\t1\t27\t0.96\t0\t0",
    "ice cream\t1\t5\t0\t0\t30\t1.00\t0\t#N/A",
    "essentialness\t0\t1.04\t0.2\t1\t26\t0.96\t0\t0",
    "nan\t0\t4.5\t0.2\t1\t26\t0.96\t0\t0",
)


def write(tmp_path, *lines, ends="\r\n"):
    path = tmp_path / "ratings.txt"
    path.write_bytes((ends.join([*lines, ""])).encode())
    return path


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("tabs", [True, False])
def test_words_and_bigrams(tmp_path, ends, tabs):
    """Tabs or blanks, LF or CRLF: words of one and two parts and their ratings."""
    lines = [HEADER, *ROWS]
    lines = lines if tabs else [line.replace("\t", " ") for line in lines]
    found = read_ratings(write(tmp_path, *lines, ends=ends))
    assert found.words == {
        "roadsweeper": 4.85, "ice cream": 5.0, "essentialness": 1.04, "nan": 4.5,
    }  # fmt: skip
    assert (found.n_bigrams, found.n_missing) == (1, 0)


def test_missing_ratings_do_not_let_the_next_column_in(tmp_path):
    """An empty cell or NA is a missing rating, left out and counted."""
    found = read_ratings(
        write(tmp_path, HEADER, "a\t0\t\t1.2\t0", "b\t0\tNA\t1.2\t0", ROWS[0])
    )
    assert found.words == {"roadsweeper": 4.85}
    assert found.n_missing == 2


def test_blanks_inside_words(tmp_path):
    """Blanks inside a word count as one; a part may begin with a digit."""
    found = read_ratings(write(tmp_path, HEADER, "ice  cream\t1\t5", "catch 22\t1\t2"))
    assert found.words == {"ice cream": 5.0, "catch 22": 2.0}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((HEADER.replace("\t", ","), "dog,0,4.9"), "is not a file of concreteness"),
        (("word\trating", "dog\t4.9"), "is not a file of concreteness"),
        (ROWS, "is not a file of concreteness"),
        ((HEADER, "dog\t2\t4.9"), "line 2"),
        ((HEADER, ROWS[0], "dog,0,4.9"), "line 3"),
        ((HEADER, "dog\t0\t5.01"), "rating out of range"),
        ((HEADER, "dog\t0\t0.99"), "rating out of range"),
        ((HEADER, "dog\t0\thigh"), "rating out of range"),
        ((HEADER, ROWS[0], ROWS[0]), "has a word twice"),
        ((HEADER,), "no word with a rating"),
        ((), "is not a file of concreteness"),
    ],
)
def test_bad_files(tmp_path, lines, message):
    with pytest.raises(MmclustError, match=message):
        read_ratings(write(tmp_path, *lines))


def test_not_utf8(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(HEADER.encode() + b"\ncaf\xe9\t0\t4\n")
    with pytest.raises(MmclustError, match="not UTF-8"):
        read_ratings(path)


@real
def test_the_published_excerpt():
    """280 rows; the same as by white space alone, as published."""
    path = NORMS / "concreteness_brysbaert_excerpt.txt"
    found = read_ratings(path)
    plain = {}
    for line in path.read_text().splitlines()[1:]:
        parts = line.split()
        flag = next(part for part in parts if not part[0].isalpha())
        if flag == "1":
            plain[f"{parts[0]} {parts[1]}"] = float(parts[3])
        else:
            plain[parts[0]] = float(parts[2])
    assert found.words == plain
    assert (len(plain), found.n_missing) == (280, 0)
    assert found.n_bigrams >= 20

"""The record of scores: what is written is read, and nothing else is."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.core.errors import MmclustError
from mmclust.core.io import sweep
from mmclust.scoring.intervals import adjusted
from mmclust.scoring.record import (
    COLUMNS,
    DEFINITIONS,
    NONE,
    Record,
    Score,
    parse,
    path_of,
    read,
    show_p,
    write,
    write_means,
)

names = st.text("abz_0.-", min_size=0, max_size=5)
numbers = st.none() | st.floats(-1e6, 1e6).map(lambda x: round(x, 6) + 0.0)
scores = st.builds(
    Score, names, names, names, names, numbers, st.none() | st.integers(0, 99),
    *[numbers] * 3, st.none() | st.integers(1, 9), names, *[numbers] * 5,
    st.sampled_from(sorted(DEFINITIONS)), st.text('",;é \n', max_size=6),
)  # fmt: skip


@given(st.lists(scores, max_size=5))
def test_what_is_written_is_read(tmp_path_factory, rows):
    """Every column, whatever a note holds; equal rows give equal bytes."""
    path = tmp_path_factory.mktemp("record") / "a/b.csv"
    write(path, rows)
    data = path.read_bytes()
    assert list(read(path)) == rows
    write(path, read(path))
    assert path.read_bytes() == data
    with path.open(newline="") as file:
        assert tuple(next(csv.reader(file))) == COLUMNS


def test_a_method_s_first_number_is_beside_the_baseline():
    """Further comparisons come after it; what is not there is None."""
    one = Score("e", "image", "m", "acc", 0.5, versus="e image base", diff=0.1)
    two = Score("e", "image", "m", "acc", 0.5, versus="e text m", diff=0.2)
    base = Score("e", "image", "base", "acc", 0.4, low=0.3, high=0.5)
    record = Record((base, one, two))
    assert record.get(one.key, "acc") is one
    assert record.methods() == [base.key, one.key]
    assert record.of(one.key) == {"acc": one}
    assert record.compared(one.key, "acc") == [one, two]
    assert record.against("e text m", "acc") == [two]
    assert record.mean(("e", "x", "m"), "acc") is None
    assert record.get(one.key, "nmi") is None
    assert (base.half, one.half, base.name) == (
        pytest.approx(0.1),
        None,
        "e image base",
    )
    assert not Record()


def test_holm_is_within_a_metric():
    """Three p-values of acc by hand; nmi by itself; what is not compared keeps none."""
    rows = [Score("e", "v", str(i), "acc", 1.0, versus="b", p=p)
            for i, p in enumerate((0.01, 0.04, 0.03))]  # fmt: skip
    rows += [Score("e", "v", "0", "nmi", 1.0, versus="b", p=0.04)]
    rows += [
        Score("e", "v", "0", "acc", 1.0),
        Score("e", "v", "9", "acc", 1.0, versus="b"),
    ]
    assert [s.p_holm for s in adjusted(rows)] == [0.03, 0.06, 0.06, 0.04, None, None]


@pytest.mark.parametrize(
    ("p", "shown"),
    [(None, "–"), (1e-4, "<0.001"), (0.00099, "<0.001"), (0.001, "0.001"),
     (0.0494, "0.0494"), (1.0, "1")],
)  # fmt: skip
def test_a_p_is_never_shown_as_0(p, shown):
    """Three digits; None where nothing varies."""
    assert show_p(p) == shown


def header(*rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return text.getvalue().encode()


LINE = [*"evm", "3", "acc", "0.5", *[""] * 12]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "the columns -"),
        (b"encoder,view,acc\n", "the columns encoder, view, acc"),
        (b"\xff\xfe", "utf-8"),
        (header(LINE[:-1]), "17 values in line 2"),
        (header(LINE, [*LINE[:3], "3.5", *LINE[4:]]), "line 3"),
        (header([*LINE[:5], "high", *LINE[6:]]), "line 2"),
        (b'"' + header(LINE), "found"),
    ],
)
def test_a_record_of_another_version(data, found):
    """One sentence: where, what is wrong with it, and what to do."""
    assert parse(header(LINE), "x.csv").mean(("e", "v", "m"), "acc") == 0.5
    with pytest.raises(MmclustError, match="no record of scores") as caught:
        parse(data, "x.csv")
    assert "x.csv" in str(caught.value)
    assert found in str(caught.value)
    assert "dvc repro" in str(caught.value)


def test_a_missing_record(tmp_path):
    """Named, with what makes it."""
    with pytest.raises(MmclustError, match="is missing") as caught:
        read(path_of(tmp_path, "score", "coco"))
    assert "metrics/details/score/coco.csv" in str(caught.value)


def test_means_of_methods_that_are_gone_do_not_stay(tmp_path):
    """The folder is what was scored; one without scores still has a file for DVC."""
    folder = tmp_path / "metrics/score/x"
    write_means(folder, {"tac": {"acc": 0.123456, "nmi": None}, "a": {"acc": 1}})
    assert (folder / "tac.json").read_text() == '{\n  "acc": 0.1235\n}\n'
    write_means(folder, {"a": {"acc": 1}})
    assert [path.name for path in folder.iterdir()] == ["a.json"]
    left = folder / ".tac.json.0123456789ab.tmp"  # by a killed writer
    left.mkdir()
    write_means(folder, {})
    assert [path.name for path in folder.glob("[!.]*")] == [NONE]
    sweep(folder)
    assert not left.exists()

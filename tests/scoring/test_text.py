"""Columns of text from other programs: bytes, and accents in two Unicode forms."""

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmclust.cognition.own_files import (
    score_association,
    score_categorization,
    score_concreteness,
)
from mmclust.core.clusters import WordClusters, read_words, write_words
from mmclust.core.errors import MmclustError
from mmclust.scoring.columns import read_assignment, read_list, read_values
from mmclust.scoring.own_files import as_written, score_files
from mmclust.scoring.submission import read_submission

NAMES = ["café", "naïve", "a", "b"]
NFC, NFD = (
    [unicodedata.normalize(form, name) for name in NAMES] for form in ("NFC", "NFD")
)
BINARY = [
    pa.binary(),
    pa.large_binary(),
    pa.binary_view(),
    pa.binary(6),
    pa.dictionary(pa.int8(), pa.binary()),
]


def parquet(path, kind=None, **columns):
    arrays = {}
    for name, values in columns.items():
        if kind is not None and isinstance(values[0], bytes):
            width = 6 if kind == pa.binary(6) else -1
            padded = [value.ljust(width, b"\0") for value in values]
            arrays[name] = pa.array(padded, pa.binary(width)).cast(kind)
        else:
            arrays[name] = pa.array(values)
    pq.write_table(pa.table(arrays), path)
    return path


@pytest.mark.parametrize("kind", BINARY, ids=str)
def test_binary_columns_are_the_text_they_hold(tmp_path, kind):
    """Ids, classes and words of HDF5, TFRecord and numpy, saved as parquet."""
    encoded = [name.encode() for name in NFC]
    path = parquet(tmp_path / "x.parquet", kind, image_id=encoded, label=encoded)
    assert read_assignment(path, "label") == dict(zip(NFC, NFC, strict=True))
    path = parquet(tmp_path / "w.parquet", kind, word=encoded, cluster=[0, 0, 1, 1])
    assert read_values(path, "cluster") == dict(zip(NFC, "0011", strict=True))


@pytest.mark.parametrize("column", ["image_id", "label"])
def test_bytes_that_are_no_text_are_called_binary(tmp_path, column):
    """And not dropped, written b'…' or taken for the same."""
    columns = {"image_id": [b"a", b"b"], "label": [b"0", b"1"]}
    columns[column] = [b"\xff\x00", b"\xfe\x01"]
    path = parquet(tmp_path / "x.parquet", **columns)
    with pytest.raises(MmclustError, match=f"binary column[\\s\\S]*column {column}"):
        read_assignment(path, "label")
    path = parquet(tmp_path / "w.parquet", word=[b"\xff", b"b"], cluster=[0, 1])
    with pytest.raises(MmclustError, match="binary column"):
        read_values(path, "cluster")


def test_numpys_bytes_are_labels(tmp_path):
    """dtype S, as h5py gives it."""
    np.save(tmp_path / "l.npy", np.array([b"dog", b"cat", "é".encode()]))
    found = read_assignment(tmp_path / "l.npy", "label")
    assert found == {"0": "dog", "1": "cat", "2": "é"}


@pytest.mark.parametrize("kind", ["V4", "c16", "M8[D]", "i4,i4"])
def test_arrays_of_other_things_are_no_labels(tmp_path, kind):
    """Raw bytes, complex numbers, dates and records."""
    np.save(tmp_path / "l.npy", np.zeros(3, kind))
    with pytest.raises(MmclustError, match="numbers or text"):
        read_assignment(tmp_path / "l.npy", "label")


def test_a_list_in_a_cell_is_told(tmp_path):
    """It is not an empty value."""
    path = parquet(tmp_path / "x.parquet", image_id=["a"], label=[["x", "y"]])
    with pytest.raises(MmclustError, match="several values"):
        read_assignment(path, "label")


def csv(path, header, rows):
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_ids_and_classes_in_two_forms_are_joined(tmp_path):
    """Composed in one file, decomposed in the other: the same scores."""
    classes = [NFC[0], NFC[1], NFD[0], NFD[1]]
    scored = []
    for ids in (NFC, NFD):
        labels = csv(
            tmp_path / "l.csv", "image_id,label", zip(NFC, classes, strict=True)
        )
        rows = zip(ids, [0, 1, 0, 1], strict=True)
        clusters = csv(tmp_path / "c.csv", "image_id,cluster", rows)
        scored.append(score_files(labels, [clusters], n_resamples=100, seed=0))
    assert scored[0] == scored[1]
    assert scored[0]["acc"] == 1.0
    assert scored[0]["n_classes"] == 2


def test_two_ids_that_look_the_same_are_two_where_both_files_say_so(tmp_path):
    """And where only one does, the message names the Unicode form."""
    rows = [(NFC[0], 0), (NFD[0], 1)]
    labels = csv(tmp_path / "l.csv", "image_id,label", rows)
    clusters = csv(tmp_path / "c.csv", "image_id,cluster", rows)
    assert score_files(labels, [clusters], n_resamples=100, seed=0)["acc"] == 1.0
    csv(tmp_path / "c.csv", "image_id,cluster", rows[:1])
    with pytest.raises(MmclustError, match="differ in Unicode form"):
        score_files(labels, [clusters], n_resamples=100, seed=0)


def test_words_are_joined_with_norms_in_either_form(tmp_path):
    """Categories, ratings, associations, counts and lists."""
    found = []
    for words, norms in ((NFC, NFC), (NFC, NFD), (NFD, NFC)):
        w = csv(tmp_path / "w.csv", "word,cluster", zip(words, "0011", strict=True))
        c = csv(tmp_path / "n.csv", "word,count", zip(words, "1234", strict=True))
        e = csv(
            tmp_path / "e.csv", "word,concreteness", zip(words, "4321", strict=True)
        )
        listed = tmp_path / "list.txt"
        listed.write_text("\n".join(words), encoding="utf-8")
        t = tmp_path / "t.yaml"
        x, y, a, b = norms
        t.write_text(f"one: {{{x}: 5, {y}: 5}}\ntwo: {{{a}: 5, {b}: 5}}", "utf-8")
        r = tmp_path / "r.txt"
        rated = "".join(f"{n}\t0\t{i + 1}\n" for i, n in enumerate(norms))
        r.write_text("Word\tBigram\tConc.M\n" + rated, encoding="utf-8")
        s = tmp_path / "s.csv"
        s.write_text(
            f"cue\tresponse\tR1\tN\tR1.Strength\n{x}\t{y}\t3\t9\t0.3\n", "utf-8"
        )
        often = {"n_resamples": 100, "seed": 0}
        found.append(
            (
                score_categorization([w], t, listed, **often),
                score_concreteness(e, r, c, **often),
                score_association([w], s, **often),
                read_list(listed),
            )
        )
    assert found[0] == found[1] == found[2]
    assert found[0][0]["include_unknown_fscore"] == 1.0
    assert found[0][1]["n_without_estimate"] == 0.0
    assert found[0][2]["n_rows_used"] == 1


def test_a_word_in_two_forms_is_there_twice(tmp_path):
    """Told with the cause, since both look the same."""
    rows = [(NFC[0], 0), (NFD[0], 1)]
    path = csv(tmp_path / "w.csv", "word,cluster", rows)
    with pytest.raises(MmclustError, match=r"word twice[\s\S]*differ in Unicode form"):
        read_values(path, "cluster")
    learned = WordClusters(
        (NFC[0], NFD[0]), np.ones(2, int), np.zeros((1, 2), np.int32)
    )
    write_words(tmp_path / "words.parquet", learned)
    with pytest.raises(MmclustError, match=r"twice[\s\S]*differ in Unicode form"):
        read_words(tmp_path / "words.parquet")


def test_a_submission_with_ids_in_another_form_says_so(tmp_path):
    """Ids must be those given; the message names what cannot be seen."""
    path = tmp_path / "s.csv"
    path.write_text(f"id,cluster\n{NFD[0]},0\n", encoding="utf-8")
    with pytest.raises(MmclustError, match="differ in Unicode form"):
        read_submission(path, [NFC[0]], 5)


def test_names_are_found_as_the_other_file_writes_them():
    """Either way round; other names stay."""
    one, two = NFC[0], NFD[0]
    assert as_written([two, "a", "x"], [one, "a"]) == {two: one, "a": "a", "x": "x"}
    assert as_written([one], [two]) == {one: two}


def test_what_could_be_two_stays_as_it_is():
    """Two names that look the same on one side, or the exact one is there as well."""
    both = NFC[0], NFD[0]
    assert as_written(both, [NFC[0]]) == {name: name for name in both}
    three = "ệ", unicodedata.normalize("NFD", "ệ"), "ẹ\u0302"
    assert as_written([three[0]], three[1:]) == {three[0]: three[0]}
    assert as_written(three[1:], [three[0]]) == {n: n for n in three[1:]}

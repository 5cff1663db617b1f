"""The tables of a folder: columns by name, lists in cells, and what is not used."""

from __future__ import annotations

import ast
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.benchmarks import _own_captions
from mmclust.benchmarks._own_tables import listed
from mmclust.core.errors import MmclustError
from tests.benchmarks.test_folder import COMPOSED, DECOMPOSED
from tests.benchmarks.toy_folder import build_folder, jsonl

ONE_AND_TWO = {"a": ["one"], "b": ["two", "two, too"]}


def parquet(raw, columns, name="metadata.parquet"):
    pq.write_table(pa.table(columns), raw / name)


def told_of(summary):
    (line,) = summary["notes"]["told"]
    return line


COLUMNS = [
    b'file_name,caption,label\na.jpg,one,x\nb.jpg,two,y\nb.jpg,"two, too",y\n',
    b'File_Name,Caption,Label\na.jpg,one,x\nb.jpg,two,y\nb.jpg,"two, too",y\n',
    b"FileName;Text;CLASS\na.jpg;one;x\nb.jpg;two;y\nb.jpg;two, too;y\n",
    b"image\tprompt\tcategory\na.jpg\tone\tx\nb.jpg\ttwo\ty\nb.jpg\ttwo, too\ty\n",
    b"image| sentence| class name\na.jpg| one| x\nb.jpg| two| y\nb.jpg| two, too| y\n",
    b'file_name,caption_0,caption_1,label\na.jpg,one,,x\nb.jpg,two,"two, too",y\n',
    b'file_name,label,Caption 2,Caption 1\na.jpg,x,,one\nb.jpg,y,"two, too",two\n',
    b'image_id,label_name,captions\na,x,"[""one""]"\nb,y,"[""two"", ""two, too""]"\n',
    b"file_name,captions,label\na.jpg,['one'],x\nb.jpg,\"['two', 'two, too']\",y\n",
    b"file_name,captions,label\na.jpg,['one'],x\nb.jpg,\"['two'\n 'two, too']\",y\n",
]


LONG = "word " * 60_000 + "word"  # more than the 131,072 that Python's reader takes
FLICKR30K = (
    b"image_name| comment_number| comment\n"
    b'a.jpg| 0| "One" , she says .\na.jpg| 1| two\n'
)


@pytest.mark.parametrize(
    ("name", "data", "captions"),
    [
        # The first line of Flickr's form is no header, whatever it says.
        ("captions.txt", b"a.jpg#0\tpath\na.jpg#1\timage\n", ["path", "image"]),
        # A text that bears the picture's name is a sidecar, not a table.
        ("a.txt", b"one\ntwo\n", ["one", "two"]),
        # Flickr30K's own table is known by its columns; quotes are characters.
        ("results.csv", FLICKR30K, ['"One" , she says .', "two"]),
        ("metadata.csv", f"file_name,caption\na.jpg,{LONG}\n".encode(), [LONG]),
        ("metadata.csv", b",file_name,caption,,\n0,a.jpg,one,,\n", ["one"]),
    ],
)
def test_captions_of_one_picture(pictures, name, data, captions):
    """Odd tables, and what is no table."""
    summary, found, _ = build_folder(pictures("a.jpg", **{name: data}))
    assert found == {"a": captions}
    if data.startswith(b","):  # as pandas writes its index, Excel columns without name
        assert told_of(summary).endswith("NOT used: columns (no name)")


@pytest.mark.parametrize("data", COLUMNS)
def test_columns_are_told_by_their_names(pictures, data):
    """Any case, any usual separator, captions numbered or in a list."""
    raw = pictures("a.jpg", "b.jpg", **{"metadata.csv": data})
    summary, captions, labels = build_folder(raw)
    assert captions == ONE_AND_TWO
    assert labels == {"a": "x", "b": "y"}
    assert told_of(summary).startswith("read metadata.csv")
    assert "classes from" in told_of(summary)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("captions", [["one"], ["two", "two, too"]]),
        ("captions", [[b"one"], [b"two", b"two, too"]]),
        ("caption", ["['one']", '["two", "two, too"]']),
        ("Prompt", [b"['one']", b'["two", "two, too"]']),
        ("texts", [["one", None], ["two", "two, too"]]),
    ],
)
@pytest.mark.parametrize("binary", [False, True])
def test_parquet_is_read_also_where_its_text_is_binary(
    pictures, column, values, binary
):
    """Lists or cells; bytes are the text they hold, never ``b'...'``."""
    raw = pictures("a.jpg", "b.jpg")
    names, labels = ["a.jpg", "b.jpg"], ["x", "y"]
    if binary:
        names, labels = [n.encode() for n in names], [n.encode() for n in labels]
    parquet(raw, {"file_name": names, column: values, "label": labels})
    summary, captions, labels = build_folder(raw)
    assert captions == ONE_AND_TWO
    assert labels == {"a": "x", "b": "y"}
    assert f"captions from {column}" in told_of(summary)


@pytest.mark.parametrize(
    ("values", "labels"),
    [([3.0, 4.0], ["3", "4"]), ([COMPOSED, DECOMPOSED], [COMPOSED, COMPOSED])],
)
def test_labels_of_parquet(pictures, values, labels):
    """A class 3.0 is the class 3; what looks the same is the same class."""
    raw = pictures("a.jpg", "b.jpg")
    parquet(raw, {"file_name": ["a.jpg", "b.jpg"], "label": values})
    assert list(build_folder(raw)[2].values()) == labels


PICTURE = {"file_name": ["a.jpg", "b.jpg"]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (PICTURE | {"label": [3.0, float("nan")]}, r"no label[\s\S]*b\.jpg"),
        (PICTURE | {"caption": [b"a\xff", b""]}, r"binary column[\s\S]*column caption"),
        (b"", r"metadata\.parquet is not a readable"),
        (b"PAR1 cut", r"metadata\.parquet is not a readable"),
        (b"PAR1xxxxPAR1", r"metadata\.parquet is not a readable"),
    ],
)
def test_parquet_that_cannot_be_used(pictures, columns, message):
    """NaN is no label, bytes that are no text no caption; or the file is damaged."""
    raw = pictures("a.jpg", "b.jpg")
    if isinstance(columns, bytes):
        (raw / "metadata.parquet").write_bytes(columns)
    else:
        parquet(raw, columns)
    with pytest.raises(MmclustError, match=message):
        build_folder(raw)


LISTED = [
    {"file_name": "a.jpg", "caption": "one"},
    {"file_name": "b.jpg", "caption": ["two", "two, too"]},
]
FLICKR = b"a.jpg#0\tone\nb.jpg#1\ttwo, too\nb.jpg#0\ttwo\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("captions.txt", FLICKR),
        ("captions.txt", FLICKR.replace(b"\n", b"\r\n")),
        ("captions.txt", b"\xef\xbb\xbf" + FLICKR),
        ("Flickr8k.token.txt", FLICKR),
        ("results_20130124.token", FLICKR),
        ("captions.txt", b"a.jpg\tone\nb.jpg\ttwo\nb.jpg\ttwo, too\n"),
        ("captions.txt", b'image,caption\na.jpg,one\nb.jpg,two\nb.jpg,"two, too"\n'),
        ("captions.csv", b"image_name|comment\na.jpg|one\nb.jpg|two\nb.jpg|two, too"),
        ("Captions.CSV", b'image,caption\na.jpg,one\nb.jpg,two\nb.jpg,"two, too"\n'),
        ("metadata.json", json.dumps(LISTED).encode()),
    ],
)
@pytest.mark.parametrize("folder", ["", "Images/"])
def test_files_as_flickr_has_them(pictures, name, data, folder):
    """Beside the pictures, or beside the folder that alone has them."""
    raw = pictures(f"{folder}a.jpg", f"{folder}b.jpg", **{name: data})
    summary, captions, _ = build_folder(raw)
    assert captions == ONE_AND_TWO
    assert told_of(summary).startswith(f"read {name}")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("metadata.jsonl", jsonl({"file_name": "a.jpg", "bbox": [1, 2]}), "bbox"),
        ("metadata.csv", b"file_name,width,height\na.jpg,8,6\n", "width, height"),
        ("metadata.csv", b"file_name,caption\n", "no row"),
        ("metadata.csv", b"", "neither"),
        ("metadata.jsonl", b"", "no row"),
        ("captions.txt", b"a dog\na cat\n", "neither"),
    ],
)
def test_a_table_of_which_nothing_is_used_is_loud(pictures, name, data, said):
    """Its columns are named; the build goes on."""
    raw = pictures("a.jpg", **{name: data})
    line = told_of(build_folder(raw)[0])
    assert line.startswith(f"NOTHING of {name} is used")
    assert said in line


def test_what_else_is_not_used_of_a_table_is_counted(pictures):
    """Columns by name, rows by number; labels that are not asked for."""
    data = b"file_name,caption,label,url\na.jpg,one,x,u\nb.jpg,,,u\nc.heic,two,x,u\n"
    raw = pictures("a.jpg", "b.jpg", **{"metadata.csv": data, "c.heic": b"x"})
    notes = build_folder(raw, {"labels": "none"})[0]["notes"]
    assert notes["told"][0] == (
        "read metadata.csv (rows: 3): captions from caption; NOT used: columns url, "
        "label; rows of files that are taken for no picture: 1; rows that say nothing "
        "of their picture: 1"
    )
    assert notes["told"][1] == "images without caption: 1"
    assert notes["metadata"]["metadata.csv"]["not_used"] == ["url", "label"]


def test_a_table_of_another_name_is_told(pictures):
    """It may be anything, such as predictions; the terminal says how it is read."""
    data = b"file_name,label\na.jpg,x\n"
    summary, _, labels = build_folder(pictures("a.jpg", **{"results.csv": data}))
    assert labels == {}
    assert told_of(summary) == (
        "other files, NOT used: 1 .csv (results.csv); tables are read if they are "
        "called metadata, captions or images"
    )


def test_names_that_move_the_terminal_are_escaped(pictures):
    """Columns and files of others are shown, not obeyed."""
    data = jsonl({"file_name": "a.jpg", "\x1b[2J": "x", "caption": "one"})
    raw = pictures("a.jpg", **{"metadata.jsonl": data, "x\x1b[1m.pdf": b""})
    told = "".join(build_folder(raw)[0]["notes"]["told"])
    assert "\x1b" not in told
    assert told.count("\\x1b") == 2


def test_ids_and_splits_of_the_metadata_are_taken(pictures):
    """Where every picture has an id of its own, and a split that is known."""
    data = b"file_name,image_id,split\nx/a.jpg,007,train\nb.jpg,eight,Validation\n"
    raw = pictures("x/a.jpg", "b.jpg", **{"metadata.csv": data})
    summary, captions, _ = build_folder(raw)
    assert list(captions) == ["007", "eight"]
    assert summary["splits"] == {"train": 1, "val": 1}
    assert "image_ids from image_id, splits from split" in told_of(summary)


@pytest.mark.parametrize("second", [b"007,other", b",train"])
def test_ids_and_splits_that_do_not_fit_are_told(pictures, second):
    """An id twice or missing, a split that nobody knows: paths, one split."""
    data = b"file_name,image_id,split\na.jpg,007,train\nb.jpg," + second + b"\n"
    raw = pictures("a.jpg", "b.jpg", **{"metadata.csv": data})
    summary, captions, _ = build_folder(raw)
    assert list(captions) == ["a", "b"]
    assert "image_id" in told_of(summary).split("NOT used")[-1]


@pytest.mark.parametrize("name", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("written", [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize("kind", ["csv", "token", "sidecar", "bare"])
def test_names_join_whatever_their_unicode_form(pictures, name, written, kind):
    """A Mac's file names and another system's tables, or the other way round."""
    files = {
        "csv": {"metadata.csv": f"file_name,caption\nx/{written}.jpg,one\n"},
        "token": {"captions.txt": f"{written}.jpg#0\tone\n"},
        "sidecar": {f"x/{written}.txt": "one\n"},
        "bare": {"metadata.csv": f"image_id,caption\n{written},one\n"},
    }[kind]
    data = {path: text.encode() for path, text in files.items()}
    raw = pictures(f"x/{name}.jpg", "x/b.jpg", **data)
    captions = build_folder(raw)[1]
    assert captions[f"x/{COMPOSED}"] == ["one"]


CSV = "metadata.csv"
HEAD = b"file_name,caption\n"
NOBODY = jsonl({"file_name": " ", "caption": "orphan"})
CAPITALS = "not there.*line 2.*in other capitals there are a.jpg"
BRACKETS = "begins as a list.*line 2, column caption"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (CSV, HEAD + b"a.jpg,x\n,orphan,\n", "no picture.*line 3, col.*empty.*orphan"),
        (
            "metadata.jsonl",
            NOBODY,
            "no picture.*line 1, column file_name.*orphan",
        ),
        (
            CSV,
            HEAD + b"a.jpg,one, two\n",
            "cells.*line 2.*file_name, caption.*quotes",
        ),
        (CSV, HEAD + b"a.jpg,\"['one', two]\"\n", BRACKETS),
        (CSV, HEAD + b"a.jpg,\"['\\x']\"\n", BRACKETS + ".*escape"),
        (CSV, b"file_name,caption,caption\na.jpg,one,two\n", "caption twice"),
        (CSV, HEAD + b"A.JPG,one\n", CAPITALS),
        (CSV, HEAD + b"c.jpg,one\n", "several pictures.*c.jpg: x/c.jpg, y/c.jpg"),
        (CSV, b"file_name,split\na.jpg,train\na.jpg,test\n", "two splits.*train, test"),
        ("captions.txt", b"a.jpg#0\tone\na second line\n", "line 2.*second line"),
        ("captions.txt", b"a.jpg#0\tone\na.jpg#0\ttwo\n", "once.*a.jpg#0 again"),
    ],
)
def test_what_cannot_be_used_is_explained(pictures, name, data, message):
    """Line and column, and what was found there."""
    raw = pictures("a.jpg", "x/c.jpg", "y/c.jpg", **{name: data})
    with pytest.raises(MmclustError, match=f"(?s){message}"):
        build_folder(raw)


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("['a', \"it's b\"]", ["a", "it's b"]),
        (r"['it\'s a', 'b\n']", ["it's a", "b\n"]),
        ("['a'\n 'b']", ["a", "b"]),
        ("('a', 'b',)", ["a", "b"]),
        ("[None, 'a']", ["a"]),
        ("[]", []),
        ("[a dog]", ["[a dog]"]),
        ("[1]", ["[1]"]),
        ("(a dog)", ["(a dog)"]),
        ("()", ["()"]),
        ("[MASK] and [SEP]", ["[MASK] and [SEP]"]),
        ("['a'] dog", ["['a'] dog"]),
        ("a dog", ["a dog"]),
        ("", [""]),
        ("]", ["]"]),
        ("{}", ["{}"]),
        ("{a dog}", ["{a dog}"]),
    ],
)
def test_lists_in_a_cell(cell, texts):
    """As JSON, Python and numpy write them; other brackets are text."""
    assert listed(cell) == texts


@pytest.mark.parametrize(
    "cell",
    [
        '[["a"], ["b"]]', "[['a'], ['b']]", '[{"raw": "a"}]', "[{'raw': 'a'}]",
        '{"raw": "a"}', "{'raw': 'a'}", '["a", 3]', '[3, "a"]', "['a', ...]",
        "['a' 'b' ... 'c']", "['a''b']",
    ],
)  # fmt: skip
def test_what_begins_as_a_list_and_is_none_is_refused(cell):
    """Brackets and quotes never become a caption."""
    with pytest.raises(ValueError, match=r"[\[{]"):
        listed(cell)


@given(st.lists(st.text(), min_size=1))
def test_lists_read_back_as_python_and_json_write_them(texts):
    """Against Python's own parser and writer."""
    assert listed(json.dumps(texts)) == texts
    assert listed(repr(texts)) == ast.literal_eval(repr(texts)) == texts


def test_too_little_memory_is_no_damaged_file(pictures, monkeypatch):
    """pyarrow's own error of memory is told apart from one of the file."""
    raw = pictures("a.jpg")
    parquet(raw, {"file_name": ["a.jpg"], "caption": ["one"]})

    class Full(pq.ParquetFile):
        def read(self, *_, **__):
            raise pa.ArrowMemoryError("malloc of size 999 failed")

    monkeypatch.setattr(pq, "ParquetFile", Full)
    with pytest.raises(MmclustError, match="too little memory to read metadata") as e:
        build_folder(raw)
    assert "not a readable" not in str(e.value)


def test_a_table_is_looked_up_in_time_that_grows_with_it(pictures, monkeypatch):
    """No row walks over all pictures: forms are compared once for each name."""
    calls = []
    plain = _own_captions.same_form
    monkeypatch.setattr(
        _own_captions, "same_form", lambda text: calls.append(text) or plain(text)
    )
    names = [f"{n}.jpg" for n in range(40)]
    rows = "".join(f"{name},one\n" for name in names)
    raw = pictures(*names, **{"metadata.csv": f"file_name,caption\n{rows}".encode()})
    build_folder(raw, images=False)
    assert len(calls) < 10 * len(names)


def test_rows_of_pictures_that_are_not_there(pictures):
    """Counted where strays may be left out; refused if they are all rows."""
    table = b"file_name,caption\na.jpg,one\nc.jpg,three\nd.jpg,four\n"
    raw = pictures("a.jpg", "b.jpg", **{"metadata.csv": table})
    with pytest.raises(MmclustError, match=r"not there[\s\S]*2 others: c\.jpg"):
        build_folder(raw)
    summary, captions, _ = build_folder(raw, {"strays": "leave_out"})
    assert captions == {"a": ["one"], "b": []}
    (told, bare) = summary["notes"]["told"]
    assert told.endswith("NOT used: rows of pictures that are not there: 2")
    assert bare == "images without caption: 1"
    (raw / "metadata.csv").write_bytes(b"file_name,caption\nc.jpg,three\n")
    with pytest.raises(MmclustError, match="not there"):
        build_folder(raw, {"strays": "leave_out"})


def test_classes_of_some_pictures_are_not_said_to_be_used(pictures):
    """Each line tells the same of a column that is not used."""
    table = b"file_name,caption,label\na.jpg,one,x\nb.jpg,two,\n"
    raw = pictures("a.jpg", "b.jpg", **{"metadata.csv": table})
    summary, _, labels = build_folder(raw, {"strays": "leave_out"})
    assert labels == {}
    assert summary["notes"]["told"] == [
        "classes are known of 1 of 2 pictures, and NOT used",
        "read metadata.csv (rows: 2): captions from caption; NOT used: columns label",
    ]

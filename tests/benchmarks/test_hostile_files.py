"""Files that are odd or hostile: one message that names them, no hang, no traceback."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import zipfile

import pytest

from mmclust.benchmarks._build import build_benchmark
from mmclust.benchmarks._pickled_batches import read_batch
from mmclust.benchmarks.imagenet_subsets import _synsets
from mmclust.benchmarks.pascal_sentences import parse_page
from mmclust.benchmarks.pixel_arrays import label_list
from mmclust.core.errors import MmclustError
from mmclust.core.images import decode
from tests.benchmarks.toy_captions import write_mscoco_fg
from tests.benchmarks.toy_folder import build_folder, jsonl, write_folder

DEEP = "[" * 100_000 + "]" * 100_000
HALF = "happy birthday \\ud83c"
TABLE = "raw,split,filename\n"


def refused(name, raw, **options):
    with pytest.raises(MmclustError) as caught:
        build_benchmark(name, raw, raw.parent / "out", images=False, **options)
    assert not (raw.parent / "out").exists()
    return str(caught.value)


@pytest.fixture
def source(tmp_path):
    """Write the files of a source."""

    def write(**files):
        texts = {name: text.encode() for name, text in files.items()}
        return write_folder(tmp_path / "source", texts)

    return write


INSTANCES = "annotations/instances_train2017.json"


@pytest.mark.parametrize("depth", [800, 960, 990, 100_000])
@pytest.mark.parametrize(
    ("benchmark", "file", "text"),
    [
        ("coco_cross", INSTANCES, "NEST"),
        ("coco_cross", INSTANCES, '{"info": NEST, "images": []}'),
        ("coco_karpathy", "dataset_coco.json", '{"info": NEST}'),
        ("flickr30k", "dataset_flickr30k.json", '{"info": NEST}'),
        ("flickr30k", "flickr_annotations_30k.csv", f'{TABLE}"NESTx",train,1.jpg\n'),
        ("mscoco_fg", "MSCOCO_FG_ann.json", "NEST"),
        ("mscoco_fg", "MSCOCO_FG_ann.json", '{"a": NEST}'),
        ("folder", "metadata.jsonl", '{"file_name": "a.jpg", "caption": NEST}'),
        ("folder", "metadata.jsonl", '{"file_name": "a.jpg", "label": NEST}'),
        ("folder", "metadata.jsonl", '{"file_name": NEST}'),
        ("folder", "metadata.json", "NEST"),
    ],
)
def test_json_that_nests_without_end_is_refused(source, benchmark, file, text, depth):
    """Deeper than Python follows, or just so deep that showing it would be."""
    text = text.replace("NEST", "[" * depth + "]" * depth)
    raw = source(**{file: text, "a.jpg": "x", "MSCOCO_FG_img_filenames.npy": "x"})
    message = refused(benchmark, raw)
    assert file.split("/")[-1].split(".")[0] in message


def test_nesting_is_named_as_the_cause(source):
    """Where the parser gave up for it, the message says so."""
    raw = source(**{INSTANCES: f'{{"info": {DEEP}, "images": []}}'})
    assert "nested too deep" in refused("coco_cross", raw)
    raw = source(**{"a.jpg": "", "metadata.jsonl": DEEP})
    assert "nested too deep" in refused("folder", raw)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("metadata.jsonl", f'{{"file_name": "a.jpg", "caption": "{HALF}"}}'),
        ("metadata.jsonl", f'{{"file_name": "a.jpg", "captions": ["x", "{HALF}"]}}'),
        ("metadata.jsonl", f'{{"file_name": "a.jpg", "label": "{HALF}"}}'),
        ("metadata.jsonl", f'{{"file_name": "{HALF}.jpg", "caption": "x"}}'),
        ("metadata.csv", f'file_name,caption\na.jpg,"[""{HALF}""]"\n'),
        ("metadata.csv", f"file_name,caption\na.jpg,\"['{HALF}']\"\n"),
    ],
)
def test_half_a_character_in_a_folder_is_refused(source, file, text):
    """File, line and column are named, and the half is shown."""
    raw = source(**{file: text, "a.jpg": "x"})
    message = refused("folder", raw)
    assert "cut in the middle of a character" in message
    assert f"{file}, line" in message
    assert "\\ud83c" in message


def test_half_a_character_is_refused_by_every_reader_of_captions(tmp_path, source):
    """Flickr's table, Karpathy's and COCO's JSON, the fine-grained captions."""
    entry = {"filename": "1.jpg", "split": "train", "sentences": [{"raw": "HALF"}]}
    karpathy = json.dumps({"images": [entry]}).replace("HALF", HALF)
    coco = '{"annotations": [{"image_id": 1, "caption": "HALF"}]}'.replace("HALF", HALF)
    for benchmark, files in {
        "flickr30k": {
            "flickr_annotations_30k.csv": f'{TABLE}"[""{HALF}""]",train,1.jpg\n'
        },
        "coco_karpathy": {"dataset_coco.json": karpathy},
        "coco_all": {
            "annotations/captions_train2017.json": coco,
            INSTANCES: '{"images": [{"id": 1}], "categories": [{"id": 1, "name": "x"}],'
            ' "annotations": [{"image_id": 1, "category_id": 1}]}',
        },
    }.items():
        options = {"min_images": 1} if benchmark == "coco_all" else {}
        message = refused(benchmark, source(**files), params_block=options)
        assert "\\ud83c" in message
        assert next(iter(files)).split("/")[-1] in message
    raw = tmp_path / "fg"
    write_mscoco_fg(raw)
    (file,) = raw.rglob("MSCOCO_FG_ann.json")
    captions = json.loads(file.read_text())
    next(iter(captions.values()))[2] += " \ud83d"
    file.write_text(json.dumps(captions))
    message = refused("mscoco_fg", raw)
    assert "MSCOCO_FG_ann.json, COCO_val2014_" in message
    assert "\\ud83d" in message


HEAD = b"file_name,caption\na.jpg,"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HEAD + "caf\u00e9".encode("latin-1"), r"not UTF-8[\s\S]*line 2[\s\S]*0xe9"),
        (HEAD.decode().encode("utf-16"), "byte order mark of UTF-16"),
        (HEAD.decode().encode("utf-16-le"), r"no text[\s\S]*line 1[\s\S]*NUL"),
        (HEAD + b"x\0y", r"no text[\s\S]*line 2[\s\S]*NUL"),
        (HEAD + b'"x', r"cannot be used[\s\S]*line 2"),
    ],
)
def test_tables_that_are_no_utf8_or_no_csv_are_refused(pictures, data, message):
    """Latin-1, UTF-16, NUL bytes, a quote that never ends."""
    with pytest.raises(MmclustError, match=message):
        build_folder(pictures("a.jpg", **{"metadata.csv": data}))


def test_a_nul_character_in_json_is_refused(pictures):
    """It is valid JSON, and no caption."""
    data = jsonl({"file_name": "a.jpg", "caption": "x\0"})
    with pytest.raises(MmclustError, match=r"line 1, column caption[\s\S]*NUL"):
        build_folder(pictures("a.jpg", **{"metadata.jsonl": data}))


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "nothing"])
def test_what_is_no_file_is_never_opened(pictures, kind, monkeypatch):
    """A fifo called .png would be waited for; the link to a device has no end."""
    raw = pictures("a.jpg")
    monkeypatch.chdir(raw)  # a socket's path must be short
    if kind == "fifo":
        os.mkfifo("b.png")
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind("b.png")
    else:
        to = "/dev/zero" if kind == "device" else "/no/such/file"
        os.symlink(to, "b.png")  # noqa: PTH211
    found = "a link to nothing" if kind == "nothing" else "which is not opened"
    with pytest.raises(MmclustError, match=rf"1 others: b\.png \([^)]*{found}"):
        build_folder(raw)


def test_a_program_under_a_pictures_name_is_not_run(pictures, monkeypatch):
    """PostScript called .png, which Pillow hands to Ghostscript."""
    from PIL import EpsImagePlugin

    def run(*_, **__):
        raise AssertionError("it was run")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    raw = pictures("a.jpg", **{"b.png": program})
    with pytest.raises(MmclustError, match=r"b\.png \(PostScript, a program"):
        build_folder(raw)
    with pytest.raises(MmclustError, match="PostScript"):
        decode(program, "b.png")


@pytest.mark.parametrize("name", ["metadata.csv", "a.txt", "captions.txt", "b.zip"])
def test_other_special_files_are_counted(pictures, name):
    """They are not opened either, and the terminal names them."""
    raw = pictures("a.jpg")
    os.mkfifo(raw / name)
    assert build_folder(raw)[0]["notes"]["told"] == [
        f"links to folders, fifos and the like, NOT used: {name}"
    ]


FILES = {
    "coco_cross": ["annotations_trainval2017.zip", INSTANCES, "train2017.zip"],
    "coco_karpathy": ["caption_datasets.zip", "dataset_coco.json"],
    "coco_words": ["annotations_trainval2014.zip"],
    "flickr30k": [
        "flickr30k.tar.gz", "results_20130124.token", "flickr_annotations_30k.csv",
    ],
    "mscoco_fg": ["MSCOCO_FG_ann.json", "MSCOCO_FG_img_filenames.npy"],
    "cifar10": ["cifar-10-python.tar.gz", "cifar-10-batches-py/data_batch_1"],
    "stl10": ["stl10_binary.tar.gz", "stl10_binary/train_X.bin"],
    "food30": ["food-101.tar.gz"],
    "imagenet10": ["train.zip", "val.zip", "ILSVRC2012_img_train.tar"],
    "imagenet30": ["train.zip", "ILSVRC2012_img_train.tar"],
    "pascal_sentences": ["index.html", "page.html", "dataset.zip"],
}  # fmt: skip


def test_fifos_in_the_place_of_a_publishers_files_are_not_waited_for(tmp_path):
    """In every benchmark: the file is missing, says the message."""
    for benchmark, names in FILES.items():
        for name in names:
            (tmp_path / benchmark / name).parent.mkdir(parents=True, exist_ok=True)
            os.mkfifo(tmp_path / benchmark / name)
    code = (
        "import sys; from pathlib import Path\n"
        "from mmclust.benchmarks._build import build_benchmark\n"
        "from mmclust.core.errors import MmclustError\n"
        "for name in sys.argv[2:]:\n"
        "    raw = Path(sys.argv[1]) / name\n"
        "    try: build_benchmark(name, raw, raw.parent / 'out')\n"
        "    except MmclustError: print(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), *FILES],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout.split() == list(FILES), done.stderr


def test_an_archive_that_states_an_endless_size_is_refused(tmp_path):
    """A deflated member of 2**60 bytes, as its directory says."""
    raw = tmp_path / "raw"
    raw.mkdir()
    path = raw / "annotations_trainval2017.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(INSTANCES, "{}" * 9)
        archive.getinfo(INSTANCES).file_size = 1 << 60
    assert "too little memory to unpack" in refused("coco_cross", raw)


def test_a_page_is_no_fifo_beside_it(tmp_path, source):
    """Another .html that is no file is not taken for the page."""
    raw = source(**{"page.html": "<html></html>"})
    os.mkfifo(raw / "other.html")
    assert "page.html" in refused("pascal_sentences", raw)


START = b"\x80\x02}("


@pytest.mark.parametrize(
    "stream",
    [
        START + b")" + b"\x85" * 200_000 + b"K\x01u.",
        START + b"(" * 200_000 + b"t" * 200_000 + b"K\x01u.",
        START + b"\x8b\x88\x13\0\0" + b"\x7f" * 5_000 + b"K\x01u.",
        START + b"(])\x85\x91K\x01u.",
        START + b"U\x04data" + b"]" * 200_000 + b"a" * 199_999 + b"u.",
        START + b"U\x06labels\x8e" + b"\xff" * 7 + b"\x7fu.",
        b"I" + b"1" * 100_000 + b"\n.",
        b"\x80\2Nr\xff\xff\xff\xff.",  # of which C's reader would make a table
    ],
)
def test_hostile_pickles_are_refused(stream):
    """No key is hashed that is no text: hashing such a tuple ends the interpreter."""
    with pytest.raises(MmclustError, match="not CIFAR's"):
        read_batch(stream, "data_batch_1")


def test_labels_that_nest_without_end_are_refused(tmp_path):
    """Their text would never end."""
    nested: list = []
    nested.append(nested)
    with pytest.raises(MmclustError, match=r"whole numbers[\s\S]*list"):
        label_list({"labels": [nested]}, "labels", 1, "x")


def mat_file(version, rest):
    name = b"MATLAB MAT-file".ljust(124)
    return name + struct.pack("<H", version) + b"IM" + rest


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x" * 500, mat_file(0x0200, b"\x89HDF"),
        mat_file(0x0100, struct.pack("<II", 14, 1_000) + b"x" * 10),
        mat_file(0x0100, struct.pack("<II", 15, 20) + b"notzlib" * 4),
    ],
)  # fmt: skip
def test_class_lists_that_are_no_matlab_file_are_refused(data):
    """The development kit's, damaged or of a version that SciPy does not read."""
    with pytest.raises(
        MmclustError, match=r"class list cannot be read[\s\S]*meta\.mat"
    ):
        _synsets(data, "meta.mat")


@pytest.mark.parametrize("charset", ["undefined", "zlib", "idna", "no such"])
def test_pages_in_charsets_that_are_none_are_refused(charset):
    """Python knows codecs that decode no text, and one that only fails."""
    page = f'<meta charset="{charset}">'.encode() + b"\xff"
    with pytest.raises(MmclustError, match="page is not text"):
        parse_page(page, "index.html")

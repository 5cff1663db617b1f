"""Small files in the formats of Pascal Sentences, Flickr30K, Karpathy and FG."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import zipfile

import numpy as np
from PIL import Image

from tests.benchmarks.toy_imagenet import add


def picture(shade):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), (shade, shade, shade)).save(buffer, "jpeg")
    return buffer.getvalue()


def pictures(paths):
    return {path: picture(10 * n) for n, path in enumerate(paths)}


def as_sample(raw):
    """Say that the source is a sample, whose counts are not the published ones."""
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "source.json").write_text('{"mirror": "sample"}')
    return raw


def pack(raw, stem, files, packing):
    """Write files unpacked, or in ``<stem>.zip``, ``.tar`` or ``.tar.gz``."""
    raw.mkdir(parents=True, exist_ok=True)
    if packing == "unpacked":
        for name, data in files.items():
            (raw / name).parent.mkdir(parents=True, exist_ok=True)
            (raw / name).write_bytes(data)
    elif packing in {"stored", "deflated"}:
        kind = zipfile.ZIP_STORED if packing == "stored" else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(raw / f"{stem}.zip", "w", kind) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        mode = "w:gz" if packing == "tar.gz" else "w"
        with tarfile.open(raw / f"{stem}.{packing}", mode) as archive:
            for name, data in files.items():
                add(archive, name, data)


# --- Pascal Sentences ---------------------------------------------------------------

PASCAL = {
    "aeroplane/2008_000716.jpg": [
        "A plane.",
        "A &amp; B fly.",
        " An  aircraft ",
        "d",
        "e",
    ],
    "aeroplane/2008_000008.jpg": ["1", "2", "3", "4", "5"],
    "tvmonitor/2008_000123.jpg": ["a screen", "b", "c", "d", "e"],
}


def page(rows=PASCAL, row=None):
    """The page of 2010; ``row`` makes another form of a row."""
    row = row or closed_row
    body = "\n".join(row(source, captions) for source, captions in rows.items())
    return (
        "<html><head><title>Pascal Sentences</title></head><body><h1>Sentences</h1>"
        f"<table border=1>\n<tr><th>picture</th></tr>\n{body}\n</table></body></html>"
    ).encode()


def closed_row(source, captions):
    cells = "".join(f"<tr><td> {text} </td></tr>\n" for text in captions)
    return f'<tr><td><img src="{source}"></td><td><table>\n{cells}</table></td></tr>'


def open_row(source, captions):
    cells = "".join(f"<tr><td> {text}\n" for text in captions)
    return f"<tr><td><img src={source}><td><table>{cells}</table>"


def browser_row(source, captions):
    cells = "".join(f"<tr><td>{text}</td></tr>" for text in captions)
    inner = f"<table><tbody>{cells}</tbody></table>"
    return f'<tr><td><img src="./{source}"></td><td>{inner}</td></tr>'


def write_pascal(raw, packing="unpacked", data=None, prefix=""):
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "index.html").write_bytes(page() if data is None else data)
    files = {prefix + name: data for name, data in pictures(PASCAL).items()}
    pack(raw, "images", files, packing)
    return raw


# --- Flickr30K ----------------------------------------------------------------------

FLICKR = {
    "1000092795": "train",
    "36979": "train",
    "10002456": "val",
    "1007129816": "test",
}
UNSPLIT = "999"  # in the publisher's file alone


def flickr_captions(image_id):
    return [f"caption {n} of {image_id} ." for n in range(5)]


def token_file(ids=(*FLICKR, UNSPLIT)):
    lines = [f"{i}.jpg#{n}\t{t}" for i in ids for n, t in enumerate(flickr_captions(i))]
    return ("\n".join(lines) + "\n").encode()


def table_file(splits=FLICKR, captions=flickr_captions):
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(["raw", "sentids", "split", "filename", "img_id"])
    for n, (i, split) in enumerate(splits.items()):
        rows.writerow([json.dumps(captions(i)), "[0, 1]", split, f"{i}.jpg", n])
    return text.getvalue().encode()


def flickr_images(ids=FLICKR):
    return pictures([f"flickr30k-images/{i}.jpg" for i in ids])


def write_hub(raw, packing="stored", table=None):
    pack(raw, "flickr30k-images", flickr_images(), packing)
    (raw / "flickr_annotations_30k.csv").write_bytes(table or table_file())
    return raw


def write_publisher(raw, packing="tar.gz", token=None):
    pack(raw, "flickr30k-images", flickr_images(), packing)
    files = {"results_20130124.token": token or token_file(), "readme.txt": b"hello"}
    pack(raw, "flickr30k", files, packing if packing != "stored" else "tar")
    return raw


# --- Karpathy -----------------------------------------------------------------------


def entry(filename, split, captions, **more):
    sentences = [{"tokens": ["x"], "raw": text, "sentid": n, "imgid": 0}
                 for n, text in enumerate(captions)]  # fmt: skip
    return {"filename": filename, "split": split, "sentences": sentences,
            "sentids": [], "imgid": 0, **more}  # fmt: skip


def flickr_entries(splits=FLICKR):
    return [entry(f"{i}.jpg", split, flickr_captions(i)) for i, split in splits.items()]


COCO = {900: "test", 42: "test", 7: "val", 30: "restval", 12: "train", 99: "test",
        5: "test", 1000: "test"}  # fmt: skip


def coco_entries(splits=COCO):
    listed = []
    for i, split in splits.items():
        folder = "train2014" if split == "train" else "val2014"
        captions = [f"caption {n} of {i}\n" for n in range(6 if i == 42 else 5)]
        name = f"COCO_{folder}_{i:012d}.jpg"
        listed.append(entry(name, split, captions, filepath=folder, cocoid=i))
    return listed


def write_karpathy(raw, coco=None, flickr=None, packing="deflated"):
    files = {
        f"dataset_{name}.json": json.dumps({"images": e, "dataset": name}).encode()
        for name, e in (("coco", coco), ("flickr30k", flickr))
        if e is not None
    }
    pack(raw, "caption_datasets", files, packing)
    return raw


def write_coco2014(raw, entries, packing="stored"):
    for folder in ("train2014", "val2014"):
        names = [e["filename"] for e in entries if e["filepath"] == folder]
        pack(raw, folder, pictures([f"{folder}/{name}" for name in names]), packing)
    return raw


# --- fine-grained -------------------------------------------------------------------


def fine_captions(stems):
    return {stem: [f"fine {n} of {stem}" for n in range(5)] for stem in stems}


def write_fg(raw, stem, captions, pool):
    """Write the publisher's two files; bytes and arrays as they are."""
    raw.mkdir(parents=True, exist_ok=True)
    text = captions if isinstance(captions, bytes) else json.dumps(captions).encode()
    (raw / f"{stem}_FG_ann.json").write_bytes(text)
    np.save(raw / f"{stem}_FG_img_filenames.npy", np.array(pool))
    return raw


QUERIES = [f"COCO_val2014_{i:012d}" for i in (900, 42, 5)]
DISTRACTORS = [f"{i:012d}" for i in (77, 3, 4)]
POOL = [f"{stem}.jpg" for stem in [*QUERIES[::-1], *DISTRACTORS]]


def write_mscoco_fg(raw, captions=None, pool=None):
    return write_fg(raw, "MSCOCO", captions or fine_captions(QUERIES), pool or POOL)

"""A source of three small archives, and a publisher of sixty pictures in one."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import yaml

JPEG = b"\xff\xd8\xff\xe0 a picture "


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


MEMBERS = {
    "annotations.zip": {"annotations/a.json": b"{}", "annotations/b.json": b"[1]"},
    "train.zip": {"train/20.jpg": JPEG + b"20", "train/19.jpg": JPEG + b"19"},
    "val.zip": {"val/3.jpg": JPEG + b"3"},
}
ARCHIVES = {name: zipped(members) for name, members in MEMBERS.items()}
RNG = np.random.default_rng(0)
PICTURES = {
    f"p/{i:03d}.jpg": b"\xff\xd8" + RNG.bytes(2000 + i) + b"\xff\xd9" for i in range(60)
}
SOME = ["p/003.jpg", "p/004.jpg", "p/005.jpg", "p/040.jpg", "p/059.jpg"]


def register(root, **sources):
    """Write a registry, unless it is the one that is there: others may be reading."""
    path = root / "data/sources.yaml"
    path.parent.mkdir(exist_ok=True)
    text = yaml.safe_dump(sources, sort_keys=False)
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def fill(folder, *, archives=(), unpacked=()):
    folder.mkdir(exist_ok=True)
    for name in archives:
        (folder / name).write_bytes(ARCHIVES[name])
    for name in unpacked:
        for member, data in MEMBERS[name].items():
            (folder / member).parent.mkdir(exist_ok=True)
            (folder / member).write_bytes(data)
    return folder


def state(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}

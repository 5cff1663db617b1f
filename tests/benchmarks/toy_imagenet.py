"""A hand-made ImageNet-1K in every form its users have it."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile

import numpy as np
from PIL import Image
from scipy.io import savemat


def jpeg(seed):
    rgb = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG")
    return out.getvalue()


def images(wnids, n_train=3, n_val=2):
    """Return split → wnid → file name → bytes; one class more than is wanted."""
    wnids = [*wnids, "n09999999"]
    train = {
        w: {f"{w}_{7 * i}.JPEG": jpeg(100 * k + i) for i in range(n_train)}
        for k, w in enumerate(wnids)
    }
    # Validation images are numbered across classes.
    val = {w: {} for w in wnids}
    for i in range(n_val * len(wnids)):
        wnid = wnids[i % len(wnids)]
        val[wnid][f"ILSVRC2012_val_{i + 1:08d}.JPEG"] = jpeg(10_000 + i)
    return {"train": train, "val": val}


def add(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def devkit(content, unknown=()):
    """Return truth and synset table; the numbers are not in the wnids' order."""
    wnids = sorted(content["val"], key=lambda w: w[::-1])
    number = {wnid: i for i, wnid in enumerate(wnids, 1)}
    of = {name: wnid for wnid, names in content["val"].items() for name in names}
    lines = [number[of[name]] for name in sorted(of)]
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O")]
    table = np.zeros((len(wnids), 1), dtype=kind)
    for row, wnid in enumerate(w for w in wnids if w not in unknown):
        table[row, 0] = (number[wnid], wnid, f"thing {row}")
    out = io.BytesIO()
    savemat(out, {"synsets": table})
    return {
        "ILSVRC2012_validation_ground_truth.txt": "".join(f"{n}\n" for n in lines),
        "meta.mat": out.getvalue(),
    }


def write_folders(raw, content):
    for split, classes in content.items():
        for wnid, files in classes.items():
            folder = raw / split / wnid
            folder.mkdir(parents=True)
            (folder / ".DS_Store").write_bytes(b"x")
            (folder / "notes.txt").write_bytes(b"x")
            for name, data in files.items():
                (folder / name).write_bytes(data)


def write_zips(raw, content, compression=zipfile.ZIP_STORED, prefix=True):
    raw.mkdir(parents=True, exist_ok=True)
    for split, classes in content.items():
        with zipfile.ZipFile(raw / f"{split}.zip", "w", compression) as archive:
            for wnid, files in classes.items():
                for name, data in files.items():
                    above = f"{split}/" if prefix else ""
                    archive.writestr(f"{above}{wnid}/{name}", data)


def write_tars(raw, content, packed_kit=True):
    raw.mkdir(parents=True, exist_ok=True)
    with tarfile.open(raw / "ILSVRC2012_img_train.tar", "w") as outer:
        for wnid, files in content["train"].items():
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as tar:
                for name, data in files.items():
                    add(tar, name, data)
            add(outer, f"{wnid}.tar", inner.getvalue())
    with tarfile.open(raw / "ILSVRC2012_img_val.tar", "w") as tar:
        files = {n: d for fs in content["val"].values() for n, d in fs.items()}
        for name in sorted(files):
            add(tar, name, files[name])
    write_kit(raw, devkit(content), packed_kit)


def write_kit(raw, kit, packed=True):
    folder = raw / "ILSVRC2012_devkit_t12/data"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in kit.items():
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    if packed:
        with tarfile.open(raw / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as tar:
            tar.add(folder.parent, folder.parent.name)
        shutil.rmtree(folder.parent)


def write_flat_val(raw, content):
    """The train folders, and val as the tar unpacks: without folders."""
    write_folders(raw, {"train": content["train"]})
    (raw / "val").mkdir()
    for files in content["val"].values():
        for name, data in files.items():
            (raw / "val" / name).write_bytes(data)
    write_kit(raw, devkit(content), packed=False)


FORMS = {
    "folders": write_folders,
    "subset": lambda raw, content: write_folders(raw / "ImageNet-10", content),
    "stored": write_zips,
    "deflated": lambda raw, c: write_zips(raw, c, zipfile.ZIP_DEFLATED),
    "bare": lambda raw, c: write_zips(raw, c, prefix=False),
    "tars": write_tars,
    "unpacked kit": lambda raw, c: write_tars(raw, c, packed_kit=False),
    "flat val": write_flat_val,
}

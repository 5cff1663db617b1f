"""How fast the engine encodes, beside what it could be; each ratio in one run.

    PYTHONPATH=src python perf/encode.py [--images 2000] [--device cuda] [--workers 2]

1. `clip` with random weights, ViT-B/32 or another `--tower`, from JPEGs of 640 x 480:
   a further picture of `encode` (the time of n pictures minus that of a quarter, over
   the difference) against a loop over single images (target: at least 1.8), and
   against the model alone on ready tensors (target: at least 0.97); and the seconds
   before the first.
2. `hog`, `color_histogram`: two workers over one (target: at least 1.7).
3. Reading images from a stored zip by offset, over unpacked files (target: at least 1).

Pictures are COCO's from --pictures, resized, or drawn where there are none.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mmclust.core import shards
from mmclust.core.images import Images
from mmclust.core.manifest import Row, read_manifest, write_manifest
from mmclust.core.types import Batch, Fitted
from mmclust.encode.engine import Options
from mmclust.encode.plan import plan_run
from mmclust.encode.stage import encode
from mmclust.encoders import clip
from mmclust.models.compute import Device

TOWERS: dict[str, dict[str, int]] = {
    "ViT-B/32": {"patch_size": 32},  # the defaults are ViT-B
    "ViT-L/14": {
        "patch_size": 14,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
    },
    "tiny": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
    },
}
"""Image towers of CLIP, and one to try this script."""


def checkpoint(folder: Path, tower: str) -> Path:
    """Save a CLIP of random weights, as the hub lays it out; its text tower is tiny."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    torch.manual_seed(0)
    config = CLIPConfig(vision_config=TOWERS[tower], text_config=TOWERS["tiny"])
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor().save_pretrained(folder)
    return folder


def make_pictures(folder: Path, source: Path, n_images: int) -> list[bytes]:
    """Write JPEGs of 640 x 480."""
    from PIL import Image

    files = sorted(source.rglob("*.jpg")) if source.is_dir() else []
    rng = np.random.default_rng(0)
    data = []
    for i in range(min(n_images, len(files) or 100)):
        if files:
            image = Image.open(files[i]).convert("RGB").resize((640, 480))
        else:
            noise = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
            image = noise.resize((640, 480), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=90)
        data.append(buffer.getvalue())
    folder.mkdir()
    pictures = [data[i % len(data)] for i in range(n_images)]
    for i, each in enumerate(pictures):
        (folder / f"{i:06d}.jpg").write_bytes(each)
    return pictures


def make_manifests(root: Path, pictures: list[bytes]) -> tuple[Path, Path]:
    """Write a manifest of the folder and one of a stored zip of the same files."""
    archive = root / "images.zip"
    spans = []
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for i, data in enumerate(pictures):
            file.writestr(f"{i:06d}.jpg", data)
            spans.append((file.fp.tell() - len(data), len(data)))
    paths = []
    for container, name in ((root / "files", "folder"), (archive, "zip")):
        rows = [
            Row(f"{i:06d}", container, f"{i:06d}.jpg",
                *(spans[i] if name == "zip" else (None, None)),
                640, 480, ("a",), "train",
                zlib.crc32(pictures[i]) if name == "zip" else None)
            for i in range(len(pictures))
        ]  # fmt: skip
        path = root / name / "manifest.parquet"
        write_manifest(path, rows, benchmark="perf", protocol="1", sources={})
        paths.append(path)
    return paths[0], paths[1]


def seconds(what: Any) -> float:
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def run(root: Path, manifest: Path, blocks: Any, options: Options) -> float:
    out = Path(tempfile.mkdtemp(dir=root))
    outs = {encoder: out / encoder for encoder in blocks}
    return seconds(
        lambda: encode(plan_run(manifest, blocks, outs, seed=0, options=options))
    )


def measure_vit(root: Path, pictures: list[bytes], args: Any) -> None:
    import torch

    params = clip.Params(model=str(checkpoint(root / "clip", args.tower)))
    options = Options(devices=(args.device,), workers=args.workers)
    usual, batch = shards.ROWS, options.batch
    shards.ROWS = batch  # so that few pictures are work for all
    quarter = max(len(pictures) // (4 * batch * args.workers), 1) * batch * args.workers
    numbers = [row % len(pictures) for row in range(4 * quarter)]
    torch.set_num_threads(os.cpu_count() or 1)

    def manifest(n: int) -> Path:
        folder = root / f"of{n}"
        folder.mkdir()
        return make_manifests(folder, [pictures[row] for row in numbers[:n]])[1]

    manifests = [manifest(n) for n in (quarter, 4 * quarter)]
    images = Images(read_manifest(manifests[1]))

    def forward(pixels: Any, rows: int = 0) -> None:
        device = options.device if rows == 0 else Device(args.device, rows)
        part = Batch([""] * len(pixels), [()] * len(pixels), pixels)
        clip.encode_image(part, params, Fitted(), device=device)

    def single(row: int) -> None:
        forward(clip.prepare(images.read(row), params)[None], 1)

    tensors = np.stack([clip.prepare(images.read(row), params) for row in range(batch)])
    forward(tensors)  # warm
    single(0)
    loop = min(quarter, 100)
    single_rate = loop / seconds(lambda: [single(row) for row in range(loop)])
    n_batches = max(loop // batch, 1)
    alone = (
        n_batches
        * batch
        / seconds(lambda: [forward(tensors) for _ in range(n_batches)])
    )
    few, many = (
        run(root, each, {"clip": {"model": params.model}}, options)
        for each in manifests
    )
    shards.ROWS = usual
    rate = 3 * quarter / (many - few)
    for name, value in (
        ("one at a time", single_rate), ("model alone", alone),
        ("encode, a further one", rate),
    ):  # fmt: skip
        print(f"  {name:<22}{value:8.1f} images/s")
    print(f"  encode / one at a time   {rate / single_rate:.2f}   (target 1.8)")
    print(f"  encode / model alone     {rate / alone:.2f}   (target 0.97)")
    print(f"  starting                 {few - quarter / rate:.1f} s")


def measure_classical(root: Path, manifest: Path, n: int) -> None:
    for encoder in ("hog", "color_histogram"):
        one, two = (
            run(root, manifest, {encoder: None}, Options(workers=w)) for w in (1, 2)
        )
        print(
            f"  {encoder:<16}{n / one:7.0f} and {n / two:7.0f} images/s: "
            f"{one / two:.2f}   (target 1.7)"
        )


def measure_reading(folder: Path, archive: Path, n: int) -> None:
    from mmclust.core import images as module

    decode, module.decode = module.decode, lambda data, _: data
    times: dict[str, list[float]] = {"files": [], "zip": []}
    for _ in range(5):
        for name, path in (("files", folder), ("zip", archive)):
            images = Images(read_manifest(path))
            images.read(0)
            reader = images

            def read(reader: Images = reader) -> None:
                for row in range(n):
                    reader.read(row)

            times[name].append(seconds(read))
            images.close()
    module.decode = decode
    files, packed = min(times["files"]), min(times["zip"])
    print(f"  files {files / n * 1e6:.0f} µs, zip by offset {packed / n * 1e6:.0f} µs: "
          f"{files / packed:.2f}   (target 1)")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--pictures", type=Path, default=Path("../shared/data/coco_mini")
    )
    parser.add_argument("--tower", choices=TOWERS, default="ViT-B/32")
    parser.add_argument("--only", choices=("vit", "classical", "reading"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        pictures = make_pictures(root / "files", args.pictures, args.images)
        folder, archive = make_manifests(root, pictures)
        n, only = len(pictures), args.only
        print(f"{n} JPEGs of 640 x 480, {args.workers} workers, {args.device}")
        if only in (None, "vit"):
            print(args.tower)
            measure_vit(root, pictures, args)
        if only in (None, "classical"):
            print("classical encoders, one and two workers")
            measure_classical(root, archive, n)
        if only in (None, "reading"):
            print("reading, without decoding")
            measure_reading(folder, archive, n)


if __name__ == "__main__":
    main()

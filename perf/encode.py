"""How fast the engine encodes, beside what it could be; each ratio in one run.

    PYTHONPATH=src python perf/encode.py [--images 2000] [--device cuda] [--workers 2]

1. A ViT-B/32 of random weights (CLIP's, from `CLIPConfig`) from JPEGs of 640 x 480:
   `encode` against a loop over single images (target: at least 1.5), and against the
   model alone on ready tensors (target: at least 0.9).
2. `hog`, `color_histogram`: two workers over one (target: at least 1.7).
3. Reading images from a stored zip by offset, over unpacked files (target: at least 1).

Pictures are COCO's from --pictures, resized, or drawn where there are none.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
import tempfile
import time
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mmclust.core import plugins
from mmclust.core.images import Images
from mmclust.core.manifest import Row, read_manifest, write_manifest
from mmclust.encode import engine
from mmclust.encode.engine import Options
from mmclust.encode.plan import plan_run
from mmclust.encode.stage import encode

NAME = "perf_vit"
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def vit_module() -> ModuleType:
    """Return an encoder of this script's own: CLIP's image tower, untrained."""
    from mmclust.encoders.color_histogram import Params

    module = ModuleType(f"mmclust.encoders.{NAME}")
    module.__file__ = __file__
    offered = {
        "VIEWS": ("image",),
        "Params": Params,
        "prepare": prepare,
        "encode_image": encode_image,
    }
    vars(module).update(offered)
    return module


def install() -> None:
    """Let the engine find it by name."""
    sys.modules[f"mmclust.encoders.{NAME}"] = vit_module()
    known = plugins.names
    plugins.names = lambda kind: sorted({*known(kind), NAME})


def prepare(rgb: np.ndarray[Any, Any], params: Any) -> np.ndarray[Any, Any]:
    """Resize and crop as CLIP's processor does, to uint8 (3, 224, 224)."""
    from PIL import Image

    del params
    image = Image.fromarray(rgb)
    scale = 224 / min(image.size)
    size = [max(224, round(side * scale)) for side in image.size]
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = ((side - 224) // 2 for side in size)
    crop = np.asarray(image.crop((left, top, left + 224, top + 224)))
    return np.ascontiguousarray(crop.transpose(2, 0, 1))


@lru_cache(maxsize=1)
def model(device: str) -> Any:
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    from mmclust.models.compute import ready

    torch.manual_seed(0)
    config = CLIPVisionConfig(patch_size=32)  # the defaults are ViT-B
    return ready(CLIPVisionModelWithProjection(config), device)


def encode_image(
    batch: Any, params: Any, fitted: Any, *, device: str
) -> np.ndarray[Any, Any]:
    del params, fitted
    return forward(np.array(batch.images), device)


def forward(pixels: np.ndarray[Any, Any], device: str) -> np.ndarray[Any, Any]:
    import torch

    with torch.inference_mode():
        mean, std = (torch.tensor(v, device=device).view(3, 1, 1) for v in (MEAN, STD))
        x = (torch.from_numpy(pixels).to(device).float() / 255 - mean) / std
        return np.asarray(model(device)(x).image_embeds.float().cpu())


_OWN = {
    name: getattr(engine, name)
    for name in ("whole_shards", "spooled_shards", "encoded_shards")
}


def whole_shards(job: Any) -> Any:
    install()
    return _OWN["whole_shards"](job)


def spooled_shards(job: Any, scratch: Path) -> Any:
    install()
    return _OWN["spooled_shards"](job, scratch)


def encoded_shards(job: Any) -> Any:
    install()
    return _OWN["encoded_shards"](job)


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


def run(root: Path, manifest: Path, encoders: list[str], options: Options) -> float:
    out = Path(tempfile.mkdtemp(dir=root))
    outs = {encoder: out / encoder for encoder in encoders}
    blocks: dict[str, dict[str, Any] | None] = dict.fromkeys(encoders)
    return seconds(
        lambda: encode(plan_run(manifest, blocks, outs, seed=0, options=options))
    )


def measure_vit(root: Path, manifest: Path, pictures: list[bytes], args: Any) -> None:
    import torch

    options = Options(devices=(args.device,), workers=args.workers)
    n, batch = len(pictures), options.batch
    torch.set_num_threads(os.cpu_count() or 1)
    forward(np.zeros((batch, 3, 224, 224), np.uint8), args.device)  # warm
    part = min(n, 300)
    images = Images(read_manifest(manifest))
    loop = seconds(
        lambda: [
            forward(prepare(images.read(row), None)[None], args.device)
            for row in range(part)
        ]
    ) * (n / part)
    tensors = np.stack([prepare(images.read(row), None) for row in range(batch)])
    n_batches = max(part // batch, 1)
    alone = seconds(
        lambda: [forward(tensors, args.device) for _ in range(n_batches)]
    ) * (n / (n_batches * batch))
    start = run(root, manifest, [NAME], options)
    for name, value in (("one at a time", loop), ("model alone", alone)):
        print(f"  {name:<22}{n / value:8.1f} images/s")
    print(f"  {'encode, start and all':<22}{n / start:8.1f} images/s")
    print(f"  encode / one at a time   {loop / start:.2f}   (target 1.5)")
    print(f"  encode / model alone     {alone / start:.2f}   (target 0.9)")


def measure_classical(root: Path, manifest: Path, n: int) -> None:
    for encoder in ("hog", "color_histogram"):
        one, two = (run(root, manifest, [encoder], Options(workers=w)) for w in (1, 2))
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
    parser.add_argument("--only", choices=("vit", "classical", "reading"))
    args = parser.parse_args()
    install()
    here = importlib.import_module("encode")  # what workers import by name
    for name in ("whole_shards", "spooled_shards", "encoded_shards"):
        setattr(engine, name, getattr(here, name))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        pictures = make_pictures(root / "files", args.pictures, args.images)
        folder, archive = make_manifests(root, pictures)
        n, only = len(pictures), args.only
        print(f"{n} JPEGs of 640 x 480, {args.workers} workers, {args.device}")
        if only in (None, "vit"):
            print("ViT-B/32")
            measure_vit(root, archive, pictures, args)
        if only in (None, "classical"):
            print("classical encoders, one and two workers")
            measure_classical(root, archive, n)
        if only in (None, "reading"):
            print("reading, without decoding")
            measure_reading(folder, archive, n)


if __name__ == "__main__":
    main()

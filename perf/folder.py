"""What `mmclust folder` costs beside decoding and the model, and how its memory grows.

    PYTHONPATH=src python perf/folder.py [--images 1000 4000] [--pictures FOLDER]

Each size is a folder of JPEGs of 500 x 375 pixels, cut at random from --pictures, or
drawn. The rival, in the same run, does what cannot be left out: it decodes each file,
prepares it and runs EfficientNet-Lite0 (random weights where the package is not
installed), and writes nothing. Both count processor time, children included. Between
the last two sizes lies the cost of one picture more: the share of decoding and model
in it is the figure (aim: at least 0.9), beside the peak memory of each size.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mmclust.core.numerics import settle

settle()  # before numpy: the rival counts in the command's numerics

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).parent))

from growth import measured  # noqa: E402

ENCODER = "efficientnet_lite0"
SIZE = (375, 500)


def write_pictures(folder: Path, source: Path | None, n: int) -> None:
    """Write n JPEGs, no two alike, in six folders that look like classes."""
    from PIL import Image

    rng = np.random.default_rng(0)
    files = sorted(source.rglob("*.jpg")) if source else []
    height, width = SIZE
    for i in range(n):
        if files:
            image = Image.open(files[i % len(files)]).convert("RGB")
            scale = max(width / image.width, height / image.height) * 1.25
            image = image.resize(
                (round(image.width * scale), round(image.height * scale))
            )
        else:
            noise = rng.integers(0, 256, (12, 16, 3), dtype=np.uint8)
            image = Image.fromarray(noise).resize(
                (round(width * 1.25), round(height * 1.25)), Image.Resampling.BICUBIC
            )
        x = int(rng.integers(image.width - width + 1))
        y = int(rng.integers(image.height - height + 1))
        buffer = io.BytesIO()
        image.crop((x, y, x + width, y + height)).save(buffer, "JPEG", quality=90)
        path = folder / f"class{i % 6}" / f"{i:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())


def bare(folder: Path, encoder: Any) -> float:
    """Decode, prepare and encode all pictures; return processor seconds."""
    from mmclust.core.images import decode
    from mmclust.core.types import Batch, Fitted
    from mmclust.models.compute import BATCH

    files = sorted(folder.rglob("*.jpg"))
    module, params = encoder.module, encoder.options
    start = time.process_time()
    for at in range(0, len(files), BATCH):
        part = files[at : at + BATCH]
        images = np.stack(
            [module.prepare(decode(f.read_bytes(), str(f)), params) for f in part]
        )
        batch = Batch([""] * len(part), [()] * len(part), images)
        module.encode_image(batch, params, Fitted(), device="cpu")
    return time.process_time() - start


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 4000])
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    from mmclust.core.plugins import instance_of

    encoder = instance_of("encoders", ENCODER, None, "encoders")
    found = []
    with tempfile.TemporaryDirectory() as name:
        for n in args.images:
            folder = Path(name, f"pictures{n}")
            write_pictures(folder, args.pictures, n)
            alone = bare(folder, encoder)
            command = ["folder", str(folder), "--out", f"out{n}", "--encoder", ENCODER]
            seconds, memory = measured(Path(name), command)
            found.append((n, alone, seconds))
            print(
                f"{n:,} pictures: {seconds:.1f} s of processor time, decoding and "
                f"model {alone:.1f} s ({alone / seconds:.2f}); {memory:.0f} MiB"
            )
    if len(found) > 1:
        (n, alone, seconds), (more, longer, last) = found[-2:]
        print(
            f"a picture more: {(last - seconds) / (more - n) * 1e3:.1f} ms, of which "
            f"{(longer - alone) / (last - seconds):.2f} decoding and model (target 0.9)"
        )


if __name__ == "__main__":
    main()

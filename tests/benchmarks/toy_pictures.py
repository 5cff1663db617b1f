"""A plugin of real pictures, so that the stage's work on them can be seen."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from PIL import Image

from mmclust.core.manifest import Row
from mmclust.core.types import Built

NAME = "toy_pictures"


def picture(seed, side=160):
    """A smooth picture that no other seed comes near."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def jpeg(image, quality=90):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@dataclass(frozen=True)
class Params:
    n: int = 6


def plugin(
    *,
    splits=None,
    files=None,
    labels=None,
    hidden=None,
    expected=None,
    alternatives=None,
    captions=("one", 'two,\n"three"'),
):  # fmt: skip
    """Make a benchmark of pictures in the folder ``pictures`` of its source."""
    module = ModuleType(f"mmclust.benchmarks.{NAME}")
    module.__doc__ = "Toy pictures: coloured | clouds.\n\nThey are made by a test."
    module.SOURCE = "toys"
    module.DEFAULT_SPLIT = "all"
    module.Params = Params
    splits = splits or {}

    def build(raw, params, *, split, images):
        folder = raw / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        made = {f"p{i}": jpeg(picture(i)) for i in range(params.n)}
        made |= files or {}
        for name, data in made.items():
            (folder / f"{name}.jpg").write_bytes(data)
        rows = [
            Row(name, folder if images else None, f"{name}.jpg", None, None, 160, 160,
                captions, splits.get(name, "train"))
            for name in made
        ]  # fmt: skip
        classes = {n: "ab"[i % 2] for i, n in enumerate(made)}
        given = classes if labels is None else labels
        secret = hidden or {}
        given = {n: c for n, c in given.items() if n not in secret}
        return Built(
            rows, given, "1", {"list.txt": "00"}, {"dropped": {"x|y": 1}},
            hidden=secret, alternatives=alternatives or {},
        )  # fmt: skip

    module.build = build
    if expected is not None:
        module.expected = lambda _, split: expected if split == "all" else None
    return module


def install(monkeypatch, **options):
    """Let the stage find it by name."""
    from mmclust.core import plugins

    module = plugin(**options)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    known = plugins.names
    monkeypatch.setattr(
        plugins,
        "names",
        lambda kind: [*known(kind), NAME] if kind == "benchmarks" else known(kind),
    )

"""Draw the whole world and pack it as the publishers do."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from mmclust.core.io import file_digest, write_bytes
from mmclust.core.progress import track
from mmclust.sample import coco, fine_grained
from mmclust.sample.draw import draw_all
from mmclust.sample.fine_grained import HUB, PUBLISHER
from mmclust.sample.norms import write_norms, write_nouns
from mmclust.sample.world import MIN_IMAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from mmclust.sample.draw import Drawn

SHOWN_BY = {
    "karpathy_splits": ("coco2014", HUB),
    PUBLISHER: (HUB,),
}  # of sources that show, or say something of, others' pictures: whose
PROTOCOLS = {"coco2017": f"{{coco_all.min_images: {MIN_IMAGES}}}"}
"""Options of benchmarks that a smaller source suggests."""


def make_sample(
    out: Path,
    seed: int,
    workers: int,
    n_images: int | None = None,
    sources: Collection[str] | None = None,
) -> int:
    """Write the built-in mirror: the sources' files, and their registry."""
    part = 1.0 if n_images is None else min(1.0, n_images / len(coco.plan(seed)))
    pages = coco.plan_pascal(seed, _some(coco.EACH, part))
    splits = {split: _some(n, part) for split, n in fine_grained.SPLITS.items()}
    streets = fine_grained.plan_flickr(seed, splits)
    tests = [picture for picture in streets if picture.split == "test"]
    fine = fine_grained.plan_enlarged(seed, tests, _some(fine_grained.QUERIES, part))
    plans = {
        "coco2017": coco.plan(seed, n_images),
        "pascal_sentences": pages,
        HUB: streets,
        "coco2014": fine.val,
        "coco2017_unlabeled": fine.unlabeled,
    }
    of: dict[str, list[Drawn]] = {}
    # In the registry's order.
    writers: dict[str, Callable[[Path], list[Path]]] = {
        "coco2017": lambda to: coco.write_2017(to, seed, of["coco2017"]),
        "coco2017_unlabeled": lambda to: coco.write_unlabeled(
            to, seed, of["coco2017_unlabeled"]
        ),
        "coco2014": lambda to: coco.write_2014(to, seed, of["coco2014"]),
        "karpathy_splits": lambda to: fine_grained.write_karpathy(
            to, of["coco2014"], of[HUB], len(fine.coco.captions)
        ),
        "pascal_sentences": lambda to: coco.write_pascal(
            to, seed, of["pascal_sentences"]
        ),
        HUB: lambda to: fine_grained.write_hub(to, of[HUB]),
        PUBLISHER: lambda to: fine_grained.write_publisher(to, of[HUB]),
        "fine_grained": lambda to: fine_grained.write_fine_grained(to, fine),
        "wordnet": write_nouns,
        "norms": lambda to: write_norms(to, seed),
    }
    asked = [name for name in writers if sources is None or name in sources]
    needed = {each for name in asked for each in SHOWN_BY.get(name, (name,))}
    plans = {name: each for name, each in plans.items() if name in needed}
    pictures = [picture for each in plans.values() for picture in each]
    drawn = track(draw_all(seed, pictures, workers), "Drawing", len(pictures))
    done = iter(list(drawn))
    of |= {name: list(islice(done, len(each))) for name, each in plans.items()}
    files = {name: writers[name](out / name) for name in asked}
    write_bytes(out / "registry.yaml", _registry(seed, files).encode())
    return len(pictures)


def _some(number: int, part: float) -> int:
    return max(1, round(number * part))


def _registry(seed: int, files: Mapping[str, Sequence[Path]]) -> str:
    """Return the mirror's registry: what the files must be, and what is smaller."""
    first = f"# The built-in mirror. Drawn by `mmclust sample`, seed {seed}; "
    lines = [first + "no photograph, no human caption."]
    for name, paths in files.items():
        lines.append(f"{name}:")
        if name in PROTOCOLS:
            lines.append(f"  protocol: {PROTOCOLS[name]}")
        lines.append("  files:")
        for path in paths:
            lines += [
                f"    {path.name}:",
                f"      size: {path.stat().st_size}",
                f"      sha256: {file_digest(path)}",
                f"      url: {name}/{path.name}",
            ]
    return "\n".join(lines if files else [*lines, "{}"]) + "\n"

"""Thirty classes of 500 images, 60/20/20, seed 782, the test labels hidden.

Source: a course assignment on text-guided image clustering (after the EACL 2024
paper), not a published benchmark. Its sheet fixes sizes, split and seed, and names no
classes; the lists here are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._image_places import row_at
from mmclust.benchmarks._splits import unknown_split
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import digest_of
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.core.seeds import generator
from mmclust.core.types import SPLITS, Built

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.benchmarks._image_places import Listing
    from mmclust.core.manifest import Row

PROTOCOL = "1"
N_CLASSES, N_IMAGES = 30, 500
FRACTIONS = (0.6, 0.2, 0.2)
SEED = 782


@dataclass(frozen=True)
class Draw:
    """What is drawn from each class, and dealt to train, val and test, checked."""

    classes: tuple[str, ...] = ()
    images_per_class: Positive = N_IMAGES
    """Images drawn of each class."""
    fractions: tuple[float, float, float] = FRACTIONS
    """Shares of train, val and test."""
    seed: int = SEED
    """Of the draw."""
    evaluate: tuple[str, ...] = ("val",)
    """Splits that are clustered and scored; ``[test]`` needs ``score --reveal``."""

    def __post_init__(self) -> None:
        shares, splits = list(self.fractions), list(self.evaluate)
        twice = sorted({c for c in self.classes if self.classes.count(c) > 1})
        sound = min(shares) >= 0 and abs(sum(shares) - 1) < 1e-9  # noqa: PLR2004
        known = bool(splits) and set(splits) <= set(SPLITS)
        for right, key, expected, found in (
            (bool(self.classes), "classes", "at least one", "none"),
            (not twice, "classes", "each class once", some(twice)),
            (sound, "fractions", "three numbers of at least 0 that sum to 1", shares),
            (known, "evaluate", f"some of {', '.join(SPLITS)}", splits),
        ):
            if not right:
                raise MmclustError(
                    f"The option {key} is out of range",
                    where=key,
                    expected=expected,
                    found=found,
                    do=f"correct {key} in params.yaml",
                )

    @property
    def sizes(self) -> dict[str, int]:
        """Images of each class in each split."""
        n = self.images_per_class
        first = int(self.fractions[0] * n + 0.5)
        second = int((self.fractions[0] + self.fractions[1]) * n + 0.5)
        return dict(zip(SPLITS, (first, second - first, n - second), strict=True))

    def sheet(self) -> dict[str, int] | None:
        """Return the images of each class if the sheet's sizes are asked for."""
        sheet = (N_CLASSES, N_IMAGES, FRACTIONS)
        asked = (len(self.classes), self.images_per_class, self.fractions)
        return dict.fromkeys(self.classes, N_IMAGES) if asked == sheet else None


def check_part(split: str, known: str) -> None:
    """Refuse another part than the one that is drawn from."""
    if split != known:
        do = "leave --split out; the shares are an option, fractions"
        raise unknown_split(split, [known], do)


def draw_built(
    raw: Path,
    listing: Listing,
    draw: Draw,
    name: str,
    notes: dict[str, Any],
    *,
    images: bool,
) -> Built:
    """Draw images of each class and deal them to train, val and test.

    A class's draw depends on the seed, its name and its sorted file names alone: not
    on the order of a directory, nor on the other classes.
    """
    need = draw.images_per_class
    few = {c: len(listing.get(c, {})) for c in draw.classes}
    few = {c: n for c, n in few.items() if n < need}
    if few:
        raise MmclustError(
            "Classes have too few images",
            where=raw,
            expected=f"at least {need:,} each",
            found=some(f"{c} {n:,}" for c, n in few.items()),
            do="fetch the source again, or change classes or images_per_class",
        )
    rows: list[Row] = []
    labels: dict[str, str] = {}
    hidden: dict[str, str] = {}
    for kind in draw.classes:
        for split, chosen in _deal(sorted(listing[kind]), draw, name, kind).items():
            for file in chosen:
                # The file's name, under its class's where it does not begin with it.
                stem = PurePosixPath(file).stem
                image_id = stem if stem.startswith(f"{kind}_") else f"{kind}_{stem}"
                place = listing[kind][file]
                (hidden if split == "test" else labels)[image_id] = kind
                found = place if images else None
                rows.append(row_at(image_id, found, place.member, split))
    names = {kind: sorted(listing[kind]) for kind in sorted(draw.classes)}
    notes |= {
        "seed": draw.seed,
        "images_per_class": need,
        "per_class_split": draw.sizes,
        "hidden_split": "test",
    }
    return Built(
        rows,
        labels,
        f"{PROTOCOL}, seed {draw.seed}: fit train, evaluate {'+'.join(draw.evaluate)}",
        {"names": digest_of(names)},
        notes,
        fit=("train",),
        evaluate=draw.evaluate,
        hidden=hidden,
    )


def _deal(
    names: Sequence[str], draw: Draw, benchmark: str, kind: str
) -> dict[str, list[str]]:
    rng = generator(draw.seed, "benchmarks", benchmark, kind)
    order = rng.permutation(len(names))[: draw.images_per_class].tolist()
    dealt: dict[str, list[str]] = {}
    start = 0
    for split, size in draw.sizes.items():
        dealt[split] = [names[i] for i in order[start : start + size]]
        start += size
    return dealt

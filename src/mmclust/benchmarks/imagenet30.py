"""imagenet30: thirty classes of ImageNet-1K, 500 train images each, 60/20/20.

Source: a course assignment on text-guided image clustering, not a publication. Its
sheet fixes sizes, split and seed (782), and hides the test labels; it names no classes,
so that these are this project's choice. Drawn from ImageNet's train part alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.benchmarks._imagenet import class_images
from mmclust.benchmarks._thirty import Draw, check_part, draw_built

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.types import Built

SOURCE = "imagenet1k"
DEFAULT_SPLIT = "train"
CLASSES = {
    "n01440764": "tench", "n01443537": "goldfish", "n01484850": "great white shark",
    "n01614925": "bald eagle", "n01644373": "tree frog", "n01770393": "scorpion",
    "n01882714": "koala", "n02007558": "flamingo", "n02056570": "king penguin",
    "n02099601": "golden retriever", "n02123045": "tabby cat", "n02129165": "lion",
    "n02165456": "ladybug", "n02279972": "monarch butterfly", "n02391049": "zebra",
    "n02481823": "chimpanzee", "n02504458": "African elephant", "n02690373": "airliner",
    "n02708093": "analog clock", "n02787622": "banjo", "n03028079": "church",
    "n03063599": "coffee mug", "n03388043": "fountain", "n03417042": "garbage truck",
    "n03445777": "golf ball", "n03792782": "mountain bike", "n03888257": "parachute",
    "n04146614": "school bus", "n04285008": "sports car", "n07753592": "banana",
}  # fmt: skip


@dataclass(frozen=True)
class Params(Draw):
    """The classes, and what :class:`mmclust.benchmarks._thirty.Draw` fixes."""

    classes: tuple[str, ...] = tuple(CLASSES)
    """WordNet ids; the default is this project's choice of well-known things."""


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Draw the images; class names are WordNet ids."""
    check_part(split, DEFAULT_SPLIT)
    listing = class_images(raw, "train", params.classes)
    named = {wnid: CLASSES[wnid] for wnid in params.classes if wnid in CLASSES}
    notes = {"split": split, "class_names": named}
    return draw_built(raw, listing, params, "imagenet30", notes, images=images)


def pictures(raw: Path, params: Params, *, split: str) -> list[str]:
    """Return all pictures of the classes: the draw depends on what there is."""
    check_part(split, DEFAULT_SPLIT)
    listing = class_images(raw, "train", params.classes)
    return [f"train/{wnid}/{name}" for wnid in params.classes for name in listing[wnid]]


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the images of each class, if classes and sizes are the sheet's."""
    check_part(split, DEFAULT_SPLIT)
    return params.sheet()

"""food30: thirty classes of Food-101, 500 images each, 60/20/20.

Source: a course assignment on text-guided image clustering, not a publication. Its
sheet fixes sizes, split and seed (782), and hides the test labels; it names no classes,
so that these are this project's choice. Drawn from all 1,000 images of a class; the
publisher's own split (750 uncleaned, 250 reviewed) plays no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.benchmarks._image_places import in_folder, in_tar
from mmclust.benchmarks._source_files import contents
from mmclust.benchmarks._thirty import Draw, check_part, draw_built
from mmclust.core.archives import check_folder
from mmclust.core.errors import MmclustError, nearest, some

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.benchmarks._image_places import Listing
    from mmclust.core.types import Built

SOURCE = "food101"
DEFAULT_SPLIT = "all"
ARCHIVE = "food-101.tar.gz"
CLASSES = (
    "apple_pie", "baklava", "bibimbap", "caesar_salad", "carrot_cake", "cheesecake",
    "chicken_curry", "chicken_wings", "chocolate_cake", "cup_cakes", "donuts",
    "dumplings", "edamame", "falafel", "fish_and_chips", "french_fries",
    "french_onion_soup", "fried_rice", "greek_salad", "guacamole", "hamburger",
    "hot_dog", "ice_cream", "lasagna", "pancakes", "pizza", "ramen",
    "spaghetti_bolognese", "sushi", "tiramisu",
)  # fmt: skip


@dataclass(frozen=True)
class Params(Draw):
    """The classes, and what :class:`mmclust.benchmarks._thirty.Draw` fixes."""

    classes: tuple[str, ...] = CLASSES
    """Folders of Food-101; the default is this project's choice of common dishes."""


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Draw the images."""
    check_part(split, DEFAULT_SPLIT)
    listing = _listing(raw)
    unknown = [name for name in params.classes if name not in listing]
    if unknown:
        raise MmclustError(
            "Food-101 has no such class",
            where="classes",
            expected=nearest(unknown[0], listing),
            found=some(unknown),
            do="correct classes in params.yaml, or fetch the source again",
        )
    return draw_built(raw, listing, params, "food30", {"split": split}, images=images)


def _listing(raw: Path) -> Listing:
    """List the images of all classes: unpacked, or else in the archive."""
    check_folder(raw)
    for folder in (raw / "food-101/images", raw / "images"):
        if folder.is_dir():
            return in_folder(folder)
    if (raw / ARCHIVE).is_file():
        return in_tar(raw / ARCHIVE, "food-101/images")
    raise MmclustError(
        "The pictures of Food-101 are missing",
        where=raw,
        expected=f"{ARCHIVE}, or unpacked food-101/images/<class>/*.jpg",
        found=contents([raw]),
        do="fetch the source again, or give its folder with --raw",
    )


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return the images of each class, if the sizes are the sheet's."""
    check_part(split, DEFAULT_SPLIT)
    return params.sheet()

"""Thirty classes of 500 images, 60/20/20, seed 782, the test labels hidden.

Source: a course assignment on text-guided image clustering (after the EACL 2024
paper), not a published benchmark. Its sheet fixes sizes, split and seed, and names no
classes; the lists here are this project's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._image_places import in_archive, in_folder, row_at
from mmclust.benchmarks._source_files import contents, refuse
from mmclust.benchmarks._splits import unknown_split
from mmclust.benchmarks.imagenet_subsets import class_images
from mmclust.core.archives import check_folder
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import digest_of
from mmclust.core.manifest import SPLITS
from mmclust.core.params import Positive  # noqa: TC001
from mmclust.core.seeds import generator
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class Thirty:
    """A benchmark of classes that are drawn from, listed in one folder or archive."""

    about: str
    name: str
    SOURCE: str
    DEFAULT_SPLIT: str
    Params: type
    CLASSES: Mapping[str, str] | tuple[str, ...]  # wnids with names, or names
    listing: Callable[[Path, Draw], Listing]

    def build(self, raw: Path, params: Draw, *, split: str, images: bool) -> Built:
        """Draw images of each class and deal them to train, val and test.

        A class's draw depends on the seed, its name and its sorted file names alone:
        not on the order of a directory, nor on the other classes. Of ImageNet, class
        names are WordNet ids.
        """
        if split != self.DEFAULT_SPLIT:
            do = "leave --split out; the shares are an option, fractions"
            raise unknown_split(split, [self.DEFAULT_SPLIT], do)
        notes: dict[str, Any] = {"split": split}
        if isinstance(self.CLASSES, dict):
            named = {c: self.CLASSES[c] for c in params.classes if c in self.CLASSES}
            notes["class_names"] = named
        listing = self.listing(raw, params)
        need = params.images_per_class
        sizes = {c: len(listing.get(c, {})) for c in params.classes}
        few = [f"{c} {n:,}" for c, n in sizes.items() if n < need]
        do = "fetch the source again, or change classes or images_per_class"
        refuse(
            few, "Classes have too few images", raw, f"at least {need:,} each", do=do
        )
        rows: list[Row] = []
        labels: dict[str, str] = {}
        hidden: dict[str, str] = {}
        for kind in params.classes:
            for part, file in _dealt(sorted(listing[kind]), params, self.name, kind):
                # The file's name, under its class's where it does not begin with it.
                stem = PurePosixPath(file).stem
                image_id = stem if stem.startswith(f"{kind}_") else f"{kind}_{stem}"
                place = listing[kind][file]
                (hidden if part == "test" else labels)[image_id] = kind
                found = place if images else None
                rows.append(row_at(image_id, found, place.member, part))
        names = {kind: sorted(listing[kind]) for kind in sorted(params.classes)}
        notes |= {
            "seed": params.seed,
            "images_per_class": need,
            "per_class_split": params.sizes,
            "hidden_split": "test",
        }
        scored = "+".join(params.evaluate)
        return Built(
            rows,
            labels,
            f"{PROTOCOL}, seed {params.seed}: fit train, evaluate {scored}",
            {"names": digest_of(names)},
            notes,
            fit=("train",),
            evaluate=params.evaluate,
            hidden=hidden,
        )

    def expected(self, params: Draw, split: str) -> dict[str, int] | None:
        """Return the images of each class, if classes and sizes are the sheet's."""
        del split
        sheet = (N_CLASSES, N_IMAGES, FRACTIONS)
        asked = (len(params.classes), params.images_per_class, params.fractions)
        return dict.fromkeys(params.classes, N_IMAGES) if asked == sheet else None


def _dealt(
    names: Sequence[str], draw: Draw, benchmark: str, kind: str
) -> Iterator[tuple[str, str]]:
    """Yield the drawn names of a class, each with its split."""
    rng = generator(draw.seed, "benchmarks", benchmark, kind)
    order = rng.permutation(len(names))[: draw.images_per_class].tolist()
    splits = (split for split, size in draw.sizes.items() for _ in range(size))
    return zip(splits, (names[i] for i in order), strict=True)


_OF_IMAGENET = {
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
_OF_FOOD = (
    "apple_pie", "baklava", "bibimbap", "caesar_salad", "carrot_cake", "cheesecake",
    "chicken_curry", "chicken_wings", "chocolate_cake", "cup_cakes", "donuts",
    "dumplings", "edamame", "falafel", "fish_and_chips", "french_fries",
    "french_onion_soup", "fried_rice", "greek_salad", "guacamole", "hamburger",
    "hot_dog", "ice_cream", "lasagna", "pancakes", "pizza", "ramen",
    "spaghetti_bolognese", "sushi", "tiramisu",
)  # fmt: skip
ARCHIVE = "food-101.tar.gz"


@dataclass(frozen=True)
class ImageNetParams(Draw):
    """The classes, and what :class:`mmclust.benchmarks.thirty.Draw` fixes."""

    classes: tuple[str, ...] = tuple(_OF_IMAGENET)
    """WordNet ids; the default is this project's choice of well-known things."""


@dataclass(frozen=True)
class FoodParams(Draw):
    """The classes, and what :class:`mmclust.benchmarks.thirty.Draw` fixes."""

    classes: tuple[str, ...] = _OF_FOOD
    """Folders of Food-101; the default is this project's choice of common dishes."""


def _of_food(raw: Path, params: Draw) -> Listing:
    """List the images of all classes: unpacked, or else in the archive."""
    check_folder(raw)
    unpacked = [raw / "food-101/images", raw / "images"]
    folder = next((each for each in unpacked if each.is_dir()), None)
    if folder is not None:
        listing = in_folder(folder)
    elif (raw / ARCHIVE).is_file():
        listing = in_archive(raw / ARCHIVE, ["food-101/images"])
    else:
        raise MmclustError(
            "The pictures of Food-101 are missing",
            where=raw,
            expected=f"{ARCHIVE}, or unpacked food-101/images/<class>/*.jpg",
            found=contents([raw]),
            do="fetch the source again, or give its folder with --raw",
        )
    unknown = [name for name in params.classes if name not in listing]
    if unknown:
        close = nearest(unknown[0], listing)
        do = "correct classes in params.yaml, or fetch the source again"
        refuse(unknown, "Food-101 has no such class", "classes", close, do=do)
    return listing


@dataclass(frozen=True)
class Wnids(Thirty):
    """Of ImageNet single pictures can be had."""

    def pictures(self, raw: Path, params: Draw, *, split: str) -> list[str]:
        """Return all pictures of the classes: the draw depends on what there is."""
        del split
        listing = self.listing(raw, params)
        return [f"train/{c}/{name}" for c in params.classes for name in listing[c]]


imagenet30 = Wnids(
    """imagenet30: thirty classes of ImageNet-1K, 500 train images each, 60/20/20.

Source: a course assignment on text-guided image clustering, not a publication. Its
sheet fixes sizes, split and seed (782), and hides the test labels; it names no classes,
so that these are this project's choice. Drawn from ImageNet's train part alone.
""",
    "imagenet30",
    "imagenet1k",
    "train",
    ImageNetParams,
    _OF_IMAGENET,
    lambda raw, draw: class_images(raw, "train", draw.classes),
)

food30 = Thirty(
    """food30: thirty classes of Food-101, 500 images each, 60/20/20.

Source: a course assignment on text-guided image clustering, not a publication. Its
sheet fixes sizes, split and seed (782), and hides the test labels; it names no classes,
so that these are this project's choice. Drawn from all 1,000 images of a class; the
publisher's own split (750 uncleaned, 250 reviewed) plays no part.
""",
    "food30",
    "food101",
    "all",
    FoodParams,
    _OF_FOOD,
    _of_food,
)

"""Classes of ImageNet-1K that the deep-clustering papers take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.benchmarks._image_places import row_at
from mmclust.benchmarks._imagenet import class_images, image_id
from mmclust.benchmarks._splits import Params as SplitParams
from mmclust.benchmarks._splits import roles
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import digest_of
from mmclust.core.types import Built

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.benchmarks._splits import Roles
    from mmclust.core.manifest import Row


PER_CLASS = {"train": 1_300, "val": 50}


@dataclass(frozen=True)
class Subset:
    """All images of some classes, below a folder of its own or ImageNet's."""

    about: str
    CLASSES: dict[str, str]
    folder: str
    dxmc_on_train: bool = False
    SOURCE: str = "imagenet1k"
    DEFAULT_SPLIT: str = "train+val"
    Params: type = SplitParams

    def __post_init__(self) -> None:
        """Say what it is, as a module does."""
        object.__setattr__(self, "__doc__", self.about)

    def roles(self, split: str, params: SplitParams) -> Roles:
        """Return the roles of train and val."""
        policy, train = params.split_policy, self.dxmc_on_train
        return roles(split, policy, report="val", dxmc_on_train=train)

    def expected(self, params: SplitParams, split: str) -> dict[str, int]:
        """Return the images of each class in the parts that are built."""
        return self.roles(split, params).expected(self.CLASSES, PER_CLASS)

    def build(
        self, raw: Path, params: SplitParams, *, split: str, images: bool
    ) -> Built:
        """Take all images of the classes."""
        role, classes = self.roles(split, params), self.CLASSES
        rows: list[Row] = []
        labels: dict[str, str] = {}
        sources: dict[str, str] = {}
        counts: dict[str, dict[str, int]] = {}
        twice: list[str] = []
        for part in role.parts:
            listing = class_images(raw, part, tuple(classes), self.folder)
            names = {wnid: sorted(listing[wnid]) for wnid in classes}
            sources[f"names of {part}"] = digest_of(names)
            counts[part] = {wnid: len(names[wnid]) for wnid in classes}
            for wnid, name in ((w, n) for w in classes for n in names[w]):
                identity, place = image_id(part, wnid, name), listing[wnid][name]
                if identity in labels:
                    twice.append(f"{identity} ({labels[identity]}, {wnid})")
                labels[identity] = wnid
                found = place if images else None
                rows.append(row_at(identity, found, f"{part}/{wnid}/{name}", part))
        if twice:
            raise MmclustError(
                "Images occur twice",
                where=raw,
                expected="each image in one class and one split",
                found=f"{len(twice):,}: {some(twice)}",
                do="remove the copies from the source",
            )
        notes = {
            "split": split,
            "split_policy": params.split_policy,
            "class_names": dict(classes),
            "classes_per_split": counts,
        }
        return Built(
            rows,
            labels,
            role.protocol,
            sources,
            notes,
            fit=role.fit,
            evaluate=role.evaluate,
        )


imagenet10 = Subset(
    """ImageNet-10: ten classes of ImageNet-1K, 13,000 images to train and 500 to
report.

Source of the class list: Contrastive Clustering (AAAI 2021), which TAC and DXMC use.
""",
    {
        "n02056570": "king penguin", "n02085936": "Maltese dog",
        "n02128757": "snow leopard", "n02690373": "airliner", "n02692877": "airship",
        "n03095699": "container ship", "n04254680": "soccer ball",
        "n04285008": "sports car", "n04467665": "trailer truck", "n07747607": "orange",
    },
    "ImageNet-10",
)  # fmt: skip


imagenet_dogs = Subset(
    """ImageNet-Dogs: fifteen breeds of ImageNet-1K, 19,500 images to train, 750 to
report.

Source of the class list: Contrastive Clustering (AAAI 2021), which TAC and DXMC use.
TAC reports on val, DXMC on the train images it was fitted on (``split_policy: dxmc``),
so that the two papers' numbers cannot be compared.
""",
    {
        "n02085936": "Maltese", "n02086646": "Blenheim spaniel",
        "n02088238": "basset",
        "n02091467": "Norwegian elkhound", "n02097130": "giant schnauzer",
        "n02099601": "golden retriever", "n02101388": "Brittany spaniel",
        "n02101556": "clumber", "n02102177": "Welsh springer spaniel",
        "n02105056": "groenendael", "n02105412": "kelpie",
        "n02105855": "Shetland sheepdog", "n02107142": "Doberman",
        "n02110958": "pug", "n02112137": "chow",
    },
    "ImageNet-Dogs",
    dxmc_on_train=True,
)  # fmt: skip

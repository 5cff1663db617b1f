"""Which parts of a data set are built, and which of them fitted on and reported."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmclust.core.manifest import Row


PROTOCOL = "1"


@dataclass(frozen=True)
class SplitParams:
    """Which splits are fitted on and reported."""

    split_policy: str = "tac"
    """``tac``: fit train, evaluate the other part, test or val; ``dxmc``: the same, but
    for ImageNet-Dogs train for both, as its code has it; ``all``: both for both;
    ``train``: train for both, as Contrastive Clustering."""


@dataclass(frozen=True)
class NoParams:
    """No options: the protocol leaves nothing open."""


@dataclass(frozen=True)
class Roles:
    """What a policy makes of a data set's two parts: the splits that are built."""

    parts: tuple[str, ...]
    fit: tuple[str, ...]
    evaluate: tuple[str, ...]
    protocol: str
    """The policy is part of it, and so of the manifest's digest: tables of different
    policies cannot be mixed up."""


def unknown_split(split: str, known: Iterable[str], do: str) -> MmclustError:
    """Return the error for a ``--split`` that there is not."""
    return MmclustError(
        f"Unknown split {split!r}",
        where="--split",
        expected=nearest(split, known),
        found=split,
        do=do,
    )


def splits_of(split: str, known: Iterable[str]) -> list[str]:
    """Return the parts that a ``--split`` such as ``train+val`` or ``all`` names."""
    known = list(known)
    if split == "all":
        return known
    names = split.split("+")
    if not set(names) <= set(known) or len(set(names)) < len(names):
        do = "name one, several joined by +, or all"
        raise unknown_split(split, ["all", *known], do)
    return names


@dataclass(frozen=True, kw_only=True)
class TwoParts:
    """A benchmark of classes in two parts, whose roles ``split_policy`` decides."""

    about: str
    SOURCE: str
    CLASSES: Sequence[str] | Mapping[str, str]
    per_class: Mapping[str, int]  # images of each class, of train and of the other part
    dxmc_on_train: bool = False
    Params: type = SplitParams

    @property
    def DEFAULT_SPLIT(self) -> str:  # noqa: N802 - as modules call it
        """Both parts."""
        return "+".join(self.per_class)

    def expected(self, params: SplitParams, split: str) -> dict[str, int]:
        """Return the images of each class over the parts that are built."""
        parts = self.roles(split, params.split_policy).parts
        return dict.fromkeys(self.CLASSES, sum(self.per_class[part] for part in parts))

    def roles(self, split: str, policy: str) -> Roles:
        """Return the roles of the splits under a ``split_policy``."""
        both = tuple(self.per_class)
        train, report = both[:1], both[1:]
        choices = {
            "tac": (both, train, report),
            "dxmc": (train,) * 3 if self.dxmc_on_train else (both, train, report),
            "all": (both, both, both),
            "train": (train, train, train),
        }
        if policy not in choices:
            raise MmclustError(
                f"Unknown split_policy {policy!r}",
                where="split_policy",
                expected=nearest(policy, choices),
                found=policy,
                do="correct split_policy in params.yaml",
            )
        whole = self.DEFAULT_SPLIT
        if split not in (whole, *both):
            do = f"leave --split out for the protocol's {whole}"
            raise unknown_split(split, [whole, *both], do)
        parts, fit, evaluate = choices[policy]
        if split in (whole, "+".join(parts)):
            words = f"fit {'+'.join(fit)}, evaluate {'+'.join(evaluate)}"
            protocol = f"{PROTOCOL}, split_policy {policy}: {words}"
            return Roles(parts, fit, evaluate, protocol)
        if policy != "tac":
            raise MmclustError(
                "--split and split_policy contradict each other",
                where="--split",
                expected=f"{'+'.join(parts)}, which split_policy {policy} builds",
                found=split,
                do="give one of the two",
            )
        return Roles((split,), (split,), (split,), f"{PROTOCOL}, {split} alone")

    def built(
        self,
        split: str,
        params: SplitParams,
        rows: list[Row],
        labels: dict[str, str],
        sources: dict[str, str],
        **notes: Any,
    ) -> Built:
        """Return the benchmark of these rows, with the images of each class counted."""
        role = self.roles(split, params.split_policy)
        n = Counter((row.split, labels[row.image_id]) for row in rows)
        counts = {part: {c: n[part, c] for c in self.CLASSES} for part in role.parts}
        return Built(
            rows,
            labels,
            role.protocol,
            sources,
            {
                "split": split,
                "split_policy": params.split_policy,
                **notes,
                "classes_per_split": counts,
            },
            fit=role.fit,
            evaluate=role.evaluate,
        )

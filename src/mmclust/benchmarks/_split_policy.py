"""Which splits are fitted on and which are reported: ``split_policy``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


PROTOCOL = "1"


@dataclass(frozen=True)
class Roles:
    """What a policy makes of a data set's two parts.

    Parameters
    ----------
    parts
        The splits that are built.
    fit, evaluate
        Those of them to fit on, and to cluster and score.
    protocol
        Version of the rules and the policy in words, which enters the manifest's
        digest, so that tables of different policies cannot be mixed up.
    """

    parts: tuple[str, ...]
    fit: tuple[str, ...]
    evaluate: tuple[str, ...]
    protocol: str


def roles(
    split: str, policy: str, *, report: str, dxmc_on_train: bool = False
) -> Roles:
    """Return the roles of the splits.

    ``tac``: fit on train, report on the other part (TAC; DXMC on most sets).
    ``dxmc``: the same, but fit and report on train where DXMC does so. ``all``:
    both parts together for both, as older papers. ``train``: train for both, as
    Contrastive Clustering on ImageNet subsets.
    """
    both = ("train", report)
    train = ("train",)
    choices = {
        "tac": (both, train, (report,)),
        "dxmc": (train, train, train) if dxmc_on_train else (both, train, (report,)),
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
    whole = "+".join(both)
    if split not in (whole, *both):
        raise MmclustError(
            f"Unknown split {split!r}",
            where="--split",
            expected=nearest(split, [whole, *both]),
            found=split,
            do=f"leave --split out for the protocol's {whole}",
        )
    parts, fit, evaluate = choices[policy]
    if split in (whole, "+".join(parts)):
        words = f"fit {'+'.join(fit)}, evaluate {'+'.join(evaluate)}"
        return Roles(
            parts, fit, evaluate, f"{PROTOCOL}, split_policy {policy}: {words}"
        )
    if policy != "tac":
        raise MmclustError(
            "--split and split_policy contradict each other",
            where="--split",
            expected=f"{'+'.join(parts)}, which split_policy {policy} builds",
            found=split,
            do="give one of the two",
        )
    return Roles((split,), (split,), (split,), f"{PROTOCOL}, {split} alone")


def expected_counts(
    classes: Sequence[str], per_class: Mapping[str, int], parts: Sequence[str]
) -> dict[str, int]:
    """Return the images of each class over the parts that are built."""
    return dict.fromkeys(classes, sum(per_class[part] for part in parts))

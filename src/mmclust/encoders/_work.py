"""The work of one encoder: which arrays it needs, what it learns, what it leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.fingerprint import code
from mmclust.core.io import digest_of
from mmclust.core.numerics import recorded
from mmclust.core.params import params_of
from mmclust.core.plugins import load
from mmclust.core.shards import Sharded
from mmclust.encoders._captions import (
    PUBLISHER,
    captions_for,
    captions_path,
    has_caption,
    source_of,
)
from mmclust.encoders._compute import flags_of
from mmclust.encoders._fuse import __name__ as fusions
from mmclust.encoders._fuse import members_of
from mmclust.encoders._job import Plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from mmclust.core.manifest import Manifest
    from mmclust.core.params import EncodeParams
    from mmclust.encoders._engines import Options


@dataclass(frozen=True)
class Work:
    """One encoder on one benchmark.

    Parameters
    ----------
    plan, module
        The encoder.
    out
        ``data/features/<benchmark>/<encoder>``.
    folder
        Of this work alone: another manifest, other params, code or flags that may
        change a byte have another.
    origin
        Digests for the sidecars.
    batch, n_rows
        Rows of a batch, and of all.
    facts
        For ``features.json``.
    without
        Ids of images that are skipped in the text view: they have no caption.
    only
        The views to make; empty for all.
    """

    plan: Plan
    module: ModuleType
    out: Path
    folder: Path
    origin: dict[str, str]
    batch: int
    n_rows: int
    facts: dict[str, Any]
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """Holds the lock and all unfinished work of this encoder."""
        return work_root(self.out)

    @property
    def views(self) -> tuple[str, ...]:
        """``image``, ``text`` or both."""
        return self.only or tuple(self.module.VIEWS)

    @property
    def learns(self) -> bool:
        """Whether there is something to fit before anything is encoded."""
        fitted = self.plan.fitted
        return hasattr(self.module, "fit") and not (fitted.arrays or fitted.facts)

    @property
    def first(self) -> tuple[str, ...]:
        """The arrays that workers make from pictures and captions."""
        if not self.learns:
            return self.views
        return ("prepared",) if hasattr(self.module, "prepare") else ()

    def array(self, name: str) -> Sharded:
        """Return an array in the making."""
        path = self.folder / f"{name}.npy"
        return Sharded(path, self.n_rows, self.batch, self.origin)


def work_root(out: Path) -> Path:
    """Return where unfinished work lies: beside the output, which DVC takes whole."""
    return out.with_name(out.name + ".work")


def plan_work(
    manifest: Manifest,
    encoder: str,
    out: Path,
    *,
    block: dict[str, Any] | None,
    seed: int,
    policy: EncodeParams,
    options: Options,
    made: Path | None = None,
) -> Work:
    """Read an encoder's options and find its work folder."""
    module = load("encoders", encoder)
    params = params_of("encoders", encoder, block, f"encoders.{encoder}")
    facts = {"encoder": encoder, "params": asdict(params), "seed": seed}
    facts |= recorded()
    if hasattr(module, "identity"):
        facts["model"] = module.identity(params)
    flags = flags_of(module, params)
    options.require_effect(encoder, flags)
    facts |= options.facts(flags)
    plan, without = Plan(encoder, params), tuple[str, ...]()
    if "text" in module.VIEWS:
        source = PUBLISHER if made is None else source_of(params)
        path = captions_path(manifest, source, made or out)
        zeros = getattr(module, "EMPTY_CAPTIONS", None) == "zeros"
        zeros = zeros and policy.missing_captions == "fail"
        plan = replace(plan, captions=path, zeros=zeros)
        captions, read = captions_for(manifest, source, made or out)
        facts["captions"] = read
        if not plan.zeros:
            without = without_captions(manifest, captions)
        # A captioner writes none of a picture that is damaged.
        excused = read.get("skipped", {}) if policy.corrupt == "skip" else {}
        lacking = tuple(image_id for image_id in without if image_id not in excused)
        if lacking and policy.missing_captions == "fail":
            raise _no_captions(manifest, encoder, path, lacking)
    ran = code("mmclust.encoders._stage", *modules_of(module, params))
    params_digest = digest_of([facts, asdict(policy), ran])
    key = digest_of([manifest.digest, params_digest])[:16]
    return Work(
        plan,
        module,
        out,
        work_root(out) / key,
        {"manifest": manifest.digest, "params": params_digest},
        options.batch,
        len(manifest),
        facts,
        without,
    )


def modules_of(module: ModuleType, params: Any) -> list[str]:
    """Return the full names of an encoder's module, and of those that it fuses."""
    names = [module.__name__]
    if fusions in code(*names):
        for member, options in members_of(params).values():
            names += modules_of(member, options)
    return names


def _no_captions(
    manifest: Manifest, encoder: str, path: Path | None, without: tuple[str, ...]
) -> MmclustError:
    return MmclustError(
        f"{encoder} reads captions, and {len(without)} images have none",
        where=path or manifest.folder,
        expected="at least one caption for each image",
        found=f"none for {without[0]}",
        do="build the benchmark with its captions file, encode with an encoder "
        "of images, or leave these images out: encode.missing_captions: skip",
    )


def without_captions(
    manifest: Manifest, captions: Sequence[Sequence[str]]
) -> tuple[str, ...]:
    """Return the ids of images that have no caption."""
    pairs = zip(manifest.image_ids, captions, strict=True)
    return tuple(image_id for image_id, texts in pairs if not has_caption(texts))

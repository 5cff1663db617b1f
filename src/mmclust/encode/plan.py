"""The work of each encoder: which arrays it needs, what it learns, what it leaves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.fingerprint import code
from mmclust.core.io import digest_of
from mmclust.core.manifest import Manifest, read_manifest
from mmclust.core.numerics import recorded
from mmclust.core.params import EncodeParams
from mmclust.core.plugins import instance_of
from mmclust.core.shards import Sharded
from mmclust.encode.captions import captions_for, has_caption, source_of
from mmclust.encode.engine import Options
from mmclust.encode.shards import FeatureJob, Plan
from mmclust.models.compute import flags_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Blocks = Mapping[str, dict[str, Any] | None]


@dataclass(frozen=True)
class Work:
    """One encoder on one benchmark.

    Parameters
    ----------
    plan
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
    out: Path
    folder: Path
    origin: dict[str, str]
    batch: int
    n_rows: int
    facts: dict[str, Any]
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def module(self) -> Any:
        """See :class:`mmclust.core.types.Encoder`."""
        return self.plan.instance.module

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

    def cut(self, captions: Sequence[Sequence[str]]) -> dict[str, int]:
        """Count captions that are longer than the encoder reads, for its record."""
        count = getattr(self.module, "captions_cut", None)
        return {"captions_cut": count(captions, self.plan.params)} if count else {}

    def array(self, name: str) -> Sharded:
        """Return an array in the making."""
        path = self.folder / f"{name}.npy"
        return Sharded(path, self.n_rows, self.batch, self.origin)


@dataclass(frozen=True)
class Run:
    """All that one command encodes; ``path`` is the manifest's, as it was given."""

    path: Path
    manifest: Manifest
    works: tuple[Work, ...]
    job: FeatureJob
    policy: EncodeParams
    options: Options
    seed: int

    def only(self, *works: Work) -> Run:
        """Return the run of these works, which may have changed."""
        plans = tuple(work.plan for work in works)
        return replace(self, works=works, job=replace(self.job, plans=plans))

    @property
    def first(self) -> dict[tuple[str, str], Sharded]:
        """The arrays that workers make, by encoder and name; see :class:`Work`."""
        return {
            (work.plan.encoder, name): work.array(name)
            for work in self.works
            for name in work.first
        }


def plan_run(
    manifest_path: Path,
    blocks: Blocks,
    outs: Mapping[str, Path],
    *,
    seed: int,
    policy: EncodeParams | None = None,
    options: Options | None = None,
    made: Path | None = None,
    source: str | None = None,
) -> Run:
    """Plan what several encoders make of a benchmark.

    Parameters
    ----------
    manifest_path
        ``manifest.parquet``.
    blocks, outs
        By encoder: its options as in params.yaml, and where its features go.
    seed
        Of the run; each encoder has its own, derived from it.
    policy, options
        What is done about faults, and how it is computed.
    made
        The folder of captions that models made; by default the benchmark's.
    source
        Whose captions are read; by default those that each encoder asks for.
    """
    policy, options = policy or EncodeParams(), options or Options()
    options.check()
    manifest = read_manifest(manifest_path)
    made = made or Path("data/captions") / manifest.benchmark
    job = FeatureJob(manifest_path.resolve(), (), policy.corrupt, options.device)
    run = Run(manifest_path, manifest, (), job, policy, options, seed)
    return run.only(
        *(_work(run, e, outs[e], block, made, source) for e, block in blocks.items())
    )


def work_root(out: Path) -> Path:
    """Return where unfinished work lies: beside the output, which DVC takes whole."""
    return out.with_name(out.name + ".work")


def _work(
    run: Run,
    encoder: str,
    out: Path,
    block: dict[str, Any] | None,
    made: Path,
    source: str | None,
) -> Work:
    """Read an encoder's options and find its work folder."""
    manifest, options = run.manifest, run.options
    instance = instance_of("encoders", encoder, block, f"encoders.{encoder}")
    module, params = instance.module, instance.options
    facts = {"encoder": encoder, "params": asdict(params), "seed": run.seed}
    facts |= instance.alias | recorded()
    if hasattr(module, "identity"):
        with instance.telling():
            facts["model"] = module.identity(params)
    flags = flags_of(module, params)
    options.require_effect(encoder, flags)
    facts |= options.facts(flags)
    plan, without = Plan(instance), tuple[str, ...]()
    if "text" in module.VIEWS:
        plan, facts["captions"], without = _read_captions(
            run, plan, made, source or source_of(params)
        )
    ran = code("mmclust.encode.stage", *instance.modules)
    params_digest = digest_of([facts, asdict(run.policy), ran])
    key = digest_of([manifest.digest, params_digest])[:16]
    return Work(
        plan,
        out,
        work_root(out) / key,
        {"manifest": manifest.digest, "params": params_digest},
        options.batch,
        len(manifest),
        facts,
        without,
    )


def _read_captions(
    run: Run, plan: Plan, made: Path, source: str
) -> tuple[Plan, dict[str, Any], tuple[str, ...]]:
    """Return the plan with its captions, what is known of them, and who has none."""
    manifest, policy = run.manifest, run.policy
    path, captions, read = captions_for(manifest, source, made)
    if policy.missing_captions == "fail" and (
        getattr(plan.instance.module, "EMPTY_CAPTIONS", None) == "zeros"
    ):
        return replace(plan, captions=path, zeros=True), read, ()
    pairs = zip(manifest.image_ids, captions, strict=True)
    without = tuple(image_id for image_id, texts in pairs if not has_caption(texts))
    # A captioner writes none of a picture that is damaged.
    excused = read.get("skipped", {}) if policy.corrupt == "skip" else {}
    lacking = [image_id for image_id in without if image_id not in excused]
    if lacking and policy.missing_captions == "fail":
        raise MmclustError(
            f"{plan.encoder} reads captions, and {len(lacking)} images have none",
            where=path or manifest.folder,
            expected="at least one caption for each image",
            found=f"none for {lacking[0]}",
            do="build the benchmark with its captions file, encode with an encoder "
            "of images, or leave these images out: encode.missing_captions: skip",
        )
    return replace(plan, captions=path), read, without

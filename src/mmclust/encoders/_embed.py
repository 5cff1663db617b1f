"""The `embed` stage: every image of a pool, and every caption by itself.

Retrieval compares single captions with single images. An encoder that learns is taken
as it was fitted on another benchmark: it never sees the pool before it is asked.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import check_features, read_meta, require_sealed, sealed
from mmclust.core.fingerprint import fingerprint
from mmclust.core.io import digest_of, read_table, write_array, write_json
from mmclust.core.manifest import read_manifest
from mmclust.core.numerics import threads
from mmclust.core.params import EncodeParams
from mmclust.core.progress import track
from mmclust.core.shards import clear, locked
from mmclust.encoders._compute import computing
from mmclust.encoders._engines import Options
from mmclust.encoders._finish import FITTED, load_fitted
from mmclust.encoders._stage import first_pass, job_of
from mmclust.encoders._work import Work, modules_of, plan_work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.manifest import Manifest
    from mmclust.encoders._job import Job

Array = np.ndarray[Any, Any]

CAPTIONS = 256
"""Captions that an encoder gets at once; the last batch is filled up."""
MAIN = "main"


def embed_benchmark(
    folder: Path,
    encoder: str,
    out: Path,
    *,
    fitted: Path,
    block: dict[str, Any] | None,
    seed: int,
    policy: EncodeParams | None = None,
    options: Options | None = None,
) -> dict[str, int]:
    """Embed a retrieval benchmark."""
    options, policy = options or Options(), _policy(policy)
    manifest = read_manifest(folder / "manifest.parquet")
    work = _plan(manifest, encoder, out, fitted, block, seed, policy, options)
    job = job_of(folder / "manifest.parquet", [work], policy, options)
    with locked(work.root):
        first_pass([work], job, options, manifest.benchmark)
        work.array("image").merge()
        images, absent = work.array("image").read()
        ids, evaluated = manifest.image_ids, manifest.evaluate_rows
        rows = np.array([row for row in evaluated if ids[row] not in absent], np.int64)
        arrays = {"image": np.asarray(images[rows], dtype=np.float32)}
        captions = _captions(manifest, folder, rows)
        with threads(1):
            for kind, texts in captions.items():
                arrays[f"text_{kind}"] = _embedded(work, job, texts)
        for name, array in arrays.items():
            check_features(array, out / f"{name}.npy")
            write_array(out / f"{name}.npy", array)
        skipped = {ids[row]: absent[ids[row]] for row in np.setdiff1d(evaluated, rows)}
        facts = {
            **work.facts,
            "benchmark": manifest.benchmark,
            "shapes": {name: list(array.shape) for name, array in arrays.items()},
            "manifest": manifest.digest,
            **_cut(work, captions),
            **({"skipped": {"image": skipped}} if skipped else {}),
            **sealed(out, [f"{name}.npy" for name in arrays]),
        }
        write_json(out / "embeddings.json", facts)
        clear(work.root)
    return {name: len(array) for name, array in arrays.items()}


def fingerprint_of_embeddings(
    folder: Path,
    encoder: str,
    out: Path,
    *,
    fitted: Path,
    block: dict[str, Any] | None,
    seed: int,
    policy: EncodeParams,
    options: Options,
) -> Fingerprint:
    """Take the fingerprint of a run; see :func:`embed_benchmark`."""
    policy = _policy(policy)
    manifest = read_manifest(folder / "manifest.parquet")
    work = _plan(manifest, encoder, out, fitted, block, seed, policy, options)
    return fingerprint(
        ("embed", manifest.benchmark, encoder),
        [out],
        modules=[__name__, *modules_of(work.module, work.plan.params)],
        inputs=[
            folder / "manifest.parquet",
            *folder.glob("captions_*.parquet"),
            *(fitted / name for name in FITTED if hasattr(work.module, "fit")),
        ],
        options={"facts": work.facts, "encode": policy},
    )


def _policy(policy: EncodeParams | None) -> EncodeParams:
    """Distractors have no captions: only the pictures pass through the engine."""
    return replace(policy or EncodeParams(), missing_captions="skip")


def _plan(
    manifest: Manifest,
    encoder: str,
    out: Path,
    fitted: Path,
    block: dict[str, Any] | None,
    seed: int,
    policy: EncodeParams,
    options: Options,
) -> Work:
    options.check()
    work = plan_work(
        manifest, encoder, out, block=block, seed=seed, policy=policy, options=options
    )
    return _fitted(work, fitted)


def _fitted(work: Work, folder: Path) -> Work:
    """Give the work what the encoder learned elsewhere, and only its pictures."""
    encoder, module = work.plan.encoder, work.module
    if not hasattr(module, "encode_captions") or "image" not in module.VIEWS:
        raise MmclustError(
            f"{encoder} does not embed images and single captions in one space",
            where="retrieval.encoders in params.yaml",
            expected="an encoder such as clip or miniclip",
            found=encoder,
        )
    facts, origin, plan = dict(work.facts), dict(work.origin), work.plan
    if hasattr(module, "fit"):
        if not (folder / "fitted.json").is_file():
            raise MmclustError(
                f"{encoder} learns, and was not fitted yet",
                where=folder,
                expected="what `mmclust encode` leaves there: fitted.json",
                do="encode the benchmark that retrieval.fitted_on names with "
                f"{encoder} first",
            )
        again = f"encode again: mmclust encode {folder.parent.name} {encoder}"
        made = read_meta(folder, again)
        require_sealed(folder, "features.json", made, FITTED, again)
        if made.get("params") != json.loads(json.dumps(facts["params"])):
            raise MmclustError(
                f"{encoder} was fitted with other options",
                where=folder,
                expected=facts["params"],
                found=made.get("params"),
                do=again,
            )
        learned = load_fitted(folder)
        digest = digest_of(
            {name: array.tobytes().hex() for name, array in learned.arrays.items()}
        )
        facts["fitted_on"] = {"benchmark": folder.parent.name, "weights": digest}
        origin["fitted"] = digest
        plan = replace(plan, fitted=learned)
        work = replace(work, folder=work.root / digest_of([origin])[:16])
    return replace(work, plan=plan, facts=facts, origin=origin, only=("image",))


def _captions(manifest: Manifest, folder: Path, rows: Array) -> dict[str, list[str]]:
    """Return each set of captions of some images, by image in manifest order."""
    ids, own = manifest.image_ids, manifest.captions
    queries = [int(row) for row in rows if own[row]]
    found = {MAIN: [text for row in queries for text in own[row]]}
    for path in sorted(folder.glob("captions_*.parquet")):
        table, _ = read_table(path)
        if not table.num_rows:  # the benchmark has no others
            continue
        columns = (table[name].to_pylist() for name in ("image_id", "captions"))
        known = dict(zip(*columns, strict=True))
        kind = path.stem.removeprefix("captions_")
        found[kind] = [text for row in queries for text in known.get(ids[row], ())]
    return found


def _cut(work: Work, captions: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Count captions that are longer than the encoder reads, each text once."""
    count = getattr(work.module, "captions_cut", None)
    if count is None:
        return {}
    texts = sorted({text for many in captions.values() for text in many})
    return {"captions_cut": count([texts], work.plan.params)}


def _embedded(work: Work, job: Job, texts: Sequence[str]) -> Array:
    """Embed captions; equal ones once, so that they are equal to the last bit."""
    once = sorted(set(texts))
    plan, made = work.plan, []
    starts = range(0, len(once), CAPTIONS)
    with computing(job.device, job.precision, compiled=job.compiled, batch=job.batch):
        for start in track(starts, "Captions", len(starts), "batches"):
            batch = once[start : start + CAPTIONS]
            full = batch + batch[-1:] * (CAPTIONS - len(batch))
            rows = work.module.encode_captions(
                full, plan.params, plan.fitted, device=job.device
            )
            made.append(np.asarray(rows)[: len(batch)])
    position = {text: i for i, text in enumerate(once)}
    rows = np.concatenate(made)[[position[text] for text in texts]]
    return np.asarray(rows, dtype=np.float32)

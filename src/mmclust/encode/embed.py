"""The `embed` stage: every image of a pool, and every caption by itself.

Retrieval compares single captions with single images. An encoder that learns is taken
as it was fitted on another benchmark: it never sees the pool before it is asked.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import check_features, read_meta, require_sealed, sealed
from mmclust.core.fingerprint import fingerprint
from mmclust.core.io import digest_of, read_table, write_array, write_json
from mmclust.core.numerics import threads
from mmclust.core.params import EncodeParams
from mmclust.core.progress import track
from mmclust.core.shards import clear, locked
from mmclust.encode.captions import PUBLISHER
from mmclust.encode.plan import Run, Work, plan_run
from mmclust.encode.stage import FITTED, first_pass, load_fitted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.manifest import Manifest
    from mmclust.core.types import Array
    from mmclust.encode.engine import Options
    from mmclust.models.compute import Device

CAPTIONS = 256
"""Captions that an encoder gets at once; the last batch is filled up."""
MAIN = "main"


def plan_embedding(
    folder: Path,
    encoder: str,
    out: Path,
    *,
    fitted: Path,
    block: dict[str, Any] | None,
    seed: int,
    policy: EncodeParams | None = None,
    options: Options | None = None,
) -> Run:
    """Plan what an encoder, as it was ``fitted``, makes of a retrieval benchmark."""
    run = plan_run(
        folder / "manifest.parquet",
        {encoder: block},
        {encoder: out},
        seed=seed,
        # Distractors have no captions: only the pictures pass through the engine.
        policy=replace(policy or EncodeParams(), missing_captions="skip"),
        options=options,
        source=PUBLISHER,
    )
    return run.only(_fitted(run.works[0], fitted))


def fingerprint_of_embeddings(run: Run, fitted: Path) -> Fingerprint:
    """Take the fingerprint of a run; see :func:`plan_embedding`."""
    (work,) = run.works
    return fingerprint(
        ("embed", run.manifest.benchmark, work.plan.encoder),
        [work.out],
        modules=[__name__, *work.plan.instance.modules],
        inputs=[
            run.path,
            *run.path.parent.glob("captions_*.parquet"),
            *(fitted / name for name in FITTED if hasattr(work.module, "fit")),
        ],
        options={"facts": work.facts, "encode": run.policy},
    )


def embed(run: Run) -> dict[str, int]:
    """Embed a retrieval benchmark; return the rows of each array."""
    manifest, (work,) = run.manifest, run.works
    with locked(work.root):
        first_pass(run)
        work.array("image").merge()
        images, absent = work.array("image").read()
        ids, evaluated = manifest.image_ids, manifest.evaluate_rows
        rows = np.array([row for row in evaluated if ids[row] not in absent], np.int64)
        arrays = {"image": np.asarray(images[rows], dtype=np.float32)}
        captions = _captions(manifest, rows)
        with threads(1):
            for kind, texts in captions.items():
                arrays[f"text_{kind}"] = _embedded(work, texts, run.job.device)
        for name, array in arrays.items():
            check_features(array, work.out / f"{name}.npy")
            write_array(work.out / f"{name}.npy", array)
        skipped = {ids[row]: absent[ids[row]] for row in np.setdiff1d(evaluated, rows)}
        facts = {
            **work.facts,
            "benchmark": manifest.benchmark,
            "shapes": {name: list(array.shape) for name, array in arrays.items()},
            "manifest": manifest.digest,
            **work.cut([sorted(set(chain(*captions.values())))]),  # each text once
            **({"skipped": {"image": skipped}} if skipped else {}),
            **sealed(work.out, [f"{name}.npy" for name in arrays]),
        }
        write_json(work.out / "embeddings.json", facts)
        clear(work.root)
    return {name: len(array) for name, array in arrays.items()}


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


def _captions(manifest: Manifest, rows: Array) -> dict[str, list[str]]:
    """Return each set of captions of some images, by image in manifest order."""
    ids, own = manifest.image_ids, manifest.captions
    queries = [int(row) for row in rows if own[row]]
    found = {MAIN: [text for row in queries for text in own[row]]}
    for path in sorted(manifest.folder.glob("captions_*.parquet")):
        table, _ = read_table(path)
        if not table.num_rows:  # the benchmark has no others
            continue
        columns = (table[name].to_pylist() for name in ("image_id", "captions"))
        known = dict(zip(*columns, strict=True))
        kind = path.stem.removeprefix("captions_")
        found[kind] = [text for row in queries for text in known.get(ids[row], ())]
    return found


def _embedded(work: Work, texts: Sequence[str], device: Device) -> Array:
    """Embed captions; equal ones once, so that they are equal to the last bit."""
    once = sorted(set(texts))
    plan, made = work.plan, []
    starts = range(0, len(once), CAPTIONS)
    with device.computing():
        for start in track(starts, "Captions", len(starts), "batches"):
            batch = once[start : start + CAPTIONS]
            full = batch + batch[-1:] * (CAPTIONS - len(batch))
            rows = work.module.encode_captions(
                full, plan.params, plan.fitted, device=device
            )
            made.append(np.asarray(rows)[: len(batch)])
    position = {text: i for i, text in enumerate(once)}
    rows = np.concatenate(made)[[position[text] for text in texts]]
    return np.asarray(rows, dtype=np.float32)

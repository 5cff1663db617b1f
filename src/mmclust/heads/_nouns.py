"""The `nouns` stage: choose nouns for a benchmark, and give each image its text."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import read_features, sealed
from mmclust.core.fingerprint import fingerprint
from mmclust.core.io import write_array, write_json, write_table
from mmclust.core.manifest import read_manifest, summary_path
from mmclust.core.plugins import load
from mmclust.core.seeds import derive
from mmclust.heads._centres import image_centres, n_centres
from mmclust.heads._embeddings import (
    prompts_cut,
    shared_encoder,
    shares_space,
    word_embeddings,
)
from mmclust.heads._rows import n_clusters, require_same_space, unit_rows
from mmclust.heads._space import Chosen, choose_nouns, classify_nouns, counterparts
from mmclust.heads._vocabulary import Vocabulary, is_empty, read_vocabulary, unique

if TYPE_CHECKING:
    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.params import NounsParams, Params


@dataclass(frozen=True)
class NounSpace:
    """The nouns chosen for some images.

    Parameters
    ----------
    chosen
        By row of the vocabulary.
    nouns
        float32 (m, d), unit norm: their embeddings.
    n_centres
        Image centres asked for.
    without_images, without_nouns
        Centres that no image, and no noun, was given to.
    """

    chosen: Chosen
    nouns: np.ndarray[Any, Any]
    n_centres: int
    without_images: int
    without_nouns: int


def noun_space(
    images: np.ndarray[Any, Any],
    embeddings: np.ndarray[Any, Any],
    place: np.ndarray[Any, Any],
    words: list[str],
    k: int,
    params: NounsParams,
    *,
    seed: int,
    device: str = "cpu",
) -> NounSpace:
    """Choose the nouns that tell the images' centres apart.

    Parameters
    ----------
    images
        float32 (n, d), unit norm: those that are fitted on.
    embeddings
        float32 (u, d), unit norm.
    place
        int64 (r,): the embedding of each row of the vocabulary.
    words
        Length r.
    k
        Image centres.
    params
        See :class:`mmclust.core.params.NounsParams`.
    seed, device
        Of k-means.

    Raises
    ------
    MmclustError
        When there are fewer nouns or images than centres.
    """
    rows = np.arange(len(words))
    if params.deduplicate_nouns:
        rows = np.sort(np.unique(words, return_index=True)[1])
    for name, count in (("nouns", len(rows)), ("images", len(images))):
        if count < k:
            raise MmclustError(
                f"There are fewer {name} than image centres",
                where="nouns.centres",
                expected=f"at least {k} {name}",
                found=count,
                do="lower nouns.centres (by hand: --centres), or give more " + name,
            )
    centres, _ = image_centres(images, k, params, seed=seed, device=device)
    classes, confidence = classify_nouns(
        embeddings,
        centres,
        temperature=params.noun_temperature,
        dtype=params.noun_softmax_dtype,
        device=device,
    )
    at = place[rows]
    chosen = choose_nouns(classes[at], confidence[at], params.top)
    chosen = replace(chosen, rows=rows[chosen.rows])
    named = len(np.unique(chosen.centres))
    return NounSpace(
        chosen,
        embeddings[place[chosen.rows]],
        k,
        k - len(centres),
        len(centres) - named,
    )


def nouns_of_benchmark(
    root: Path, benchmark: str, params: Params, *, device: str = "cpu"
) -> dict[str, Any]:
    """Choose a benchmark's nouns from its images; captions and labels are not read."""
    built = root / "data/benchmarks" / benchmark
    manifest = read_manifest(built / "manifest.parquet")
    name, out = params.model.encoder, root / "data/nouns" / benchmark
    words_there = not is_empty(root / params.nouns.vocabulary)
    if not params.model.heads and not (shares_space(name) and words_there):
        none = {"encoder": "", "manifest": manifest.digest, "nouns": 0}
        write_json(out / "nouns.json", none)
        return none
    folder = root / "data/features" / benchmark / name
    features = read_features(folder, manifest)
    encoder = shared_encoder(name, params.block("encoders", name, benchmark), folder)
    images = unit_rows(
        features.views["image"], folder / "image.npy", len(manifest), features.skipped
    )
    fit = features.kept(manifest.fit_rows)
    vocabulary = read_vocabulary(root / params.nouns.vocabulary)
    words, place = unique(vocabulary.words)
    embeddings = word_embeddings(
        words, encoder, params.nouns, out.parent / "_embeddings", device=device
    )
    require_same_space(images.shape[1], embeddings.shape[1], "nouns")
    space = noun_space(
        images[fit],
        unit_rows(embeddings, Path(params.nouns.vocabulary)),
        np.asarray(place),
        vocabulary.words,
        _centres(params, built, len(fit), benchmark),
        params.nouns,
        seed=derive(params.seed, "nouns", benchmark),
        device=device,
    )
    kept = features.kept(np.arange(len(manifest)))
    text = np.full_like(images, np.nan)  # as the features of an image that was skipped
    text[kept] = texts_for(images[kept], space, params.nouns, device)
    meta = {
        "benchmark": benchmark,
        "encoder": name,
        "manifest": manifest.digest,
        "image_features": features.meta["sha256"]["image.npy"],
        **({"model": encoder.model} if encoder.model else {}),
        "seed": params.seed,
        **({"skipped": len(manifest) - len(kept)} if len(kept) < len(manifest) else {}),
        "prompts_cut": prompts_cut(words, encoder, params.nouns),
    }
    return write_space(out, space, vocabulary, params.nouns, text, meta)


def fingerprint_of_nouns(
    benchmark: str, params: Params, *, device: str = "cpu"
) -> Fingerprint:
    """Take the fingerprint of a run here; see :func:`nouns_of_benchmark`."""
    name, built = params.model.encoder, Path("data/benchmarks") / benchmark
    module, options = load("encoders", name), params.block("encoders", name, benchmark)
    identity = getattr(module, "identity", lambda _: None)
    return fingerprint(
        ("nouns", benchmark),
        [Path("data/nouns") / benchmark],
        modules=[__name__, module.__name__],
        inputs=[
            Path(params.nouns.vocabulary),
            built / "manifest.parquet",
            summary_path(built),
            Path("data/features") / benchmark / name,
        ],
        options={
            "seed": params.seed,
            "nouns": params.nouns,
            "k": params.model.k,
            "encoder": name,
            "encoder_options": options,
            "heads": bool(params.model.heads),
            "device": device.partition(":")[0],
        },
        weights=identity(options),
    )


def _centres(params: Params, built: Path, n_fit: int, benchmark: str) -> int:
    rule = params.nouns.centres
    # Only the rule asks for k; `auto` is found later, with the nouns' names.
    asked = rule == "rule" and params.model.k != "auto"
    k = n_clusters(params, built, built) if asked else 0
    return n_centres(n_fit, k, benchmark, rule)


def texts_for(
    images: np.ndarray[Any, Any], space: NounSpace, params: NounsParams, device: str
) -> np.ndarray[Any, Any]:
    """Return the text counterpart of each image: float32 (n, d)."""
    return counterparts(
        images,
        space.nouns,
        temperature=params.counterpart_temperature,
        dtype=params.counterpart_dtype,
        device=device,
    )


def write_space(
    out: Path,
    space: NounSpace,
    vocabulary: Vocabulary,
    params: NounsParams,
    text: np.ndarray[Any, Any],
    meta: dict[str, Any],
) -> dict[str, Any]:
    """Write the nouns and the text counterparts of all images.

    ``nouns.parquet``: word, definition, centre, rank, confidence, row of the vocabulary
    (ascending). ``nouns.npy``, in that order; ``counterparts.npy``; and ``nouns.json``,
    which makes them count.
    """
    import pyarrow as pa

    rows = space.chosen.rows.tolist()
    table = pa.table(
        {
            "word": pa.array([vocabulary.words[row] for row in rows], pa.string()),
            "definition": pa.array([vocabulary.definitions[row] for row in rows]),
            "centre": pa.array(space.chosen.centres, pa.int32()),
            "rank": pa.array(space.chosen.ranks, pa.int32()),
            "confidence": pa.array(space.chosen.confidence, pa.float32()),
            "row": pa.array(rows, pa.int32()),
        }
    )
    facts = {
        **meta,
        "images": len(text),
        "vocabulary": {
            "rows": len(vocabulary.words),
            "distinct": len(set(vocabulary.words)),
            "sha256": vocabulary.digest,
        },
        "centres": space.n_centres,
        "centres_without_images": space.without_images,
        "centres_without_nouns": space.without_nouns,
        "nouns": len(rows),
        "distinct_nouns": len(set(table["word"].to_pylist())),
        "params": asdict(params),
    }
    write_table(out / "nouns.parquet", table, meta)
    write_array(out / "nouns.npy", space.nouns)
    write_array(out / "counterparts.npy", text)
    facts |= sealed(out, ["nouns.parquet", "nouns.npy", "counterparts.npy"])
    write_json(out / "nouns.json", facts)
    return facts

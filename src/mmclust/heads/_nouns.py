"""The `nouns` stage: choose nouns for a benchmark, and give each image its text."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError, some
from mmclust.core.features import read_features, sealed
from mmclust.core.fingerprint import fingerprint
from mmclust.core.io import (
    file_digest,
    require_file,
    write_array,
    write_json,
    write_table,
)
from mmclust.core.manifest import read_manifest, summary_path
from mmclust.core.seeds import derive
from mmclust.heads._embeddings import (
    prompts_cut,
    shared_encoder,
    shares_space,
    weights_of,
    word_embeddings,
)
from mmclust.heads._rows import n_clusters, read_rows, require_same_space, unit_rows
from mmclust.heads._space import (
    Chosen,
    choose_nouns,
    classify_nouns,
    counterparts,
    image_centres,
    n_centres,
    require_centres,
)

if TYPE_CHECKING:
    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.params import NounsParams, Params

Array = np.ndarray[Any, Any]

EMPTY = (b"", b"word,definition")
"""What the pipeline's list holds where WordNet is no source."""


@dataclass(frozen=True)
class Vocabulary:
    """A list of words, in order; a word may occur more than once.

    Definitions are empty where the file, of this sha256, has none.
    """

    words: list[str]
    definitions: list[str]
    digest: str


def read_vocabulary(path: Path) -> Vocabulary:
    """Read ``word,definition`` (any CSV with a column ``word``) or a word list.

    Nothing is dropped: ``WordNetNouns.csv`` has 146,347 rows of 119,034 words, and
    embeddings of one's own have a row for each. ``nan`` and ``null`` are words.
    """
    require_file(path, "make WordNet's with `mmclust vocabulary`, or give a .txt")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MmclustError(
            "A vocabulary must be UTF-8", where=path, found=error
        ) from error
    if path.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(text, newline=""))
        if "word" not in (rows.fieldnames or ()):
            raise MmclustError(
                "The vocabulary has no column 'word'",
                where=path,
                expected="a header such as word,definition",
                found=some(rows.fieldnames or ()),
                do="name the column, or give a .txt with one word per line",
            )
        pairs = [(row["word"] or "", row.get("definition") or "") for row in rows]
    else:
        pairs = [(line, "") for line in text.splitlines()]
    words = [word.strip() for word, _ in pairs]
    first = 2 if path.suffix == ".csv" else 1
    blank = [i + first for i, word in enumerate(words) if not word]
    if blank:
        raise MmclustError(
            "The vocabulary has blank words",
            where=f"{path}, line {some(blank)}",
            expected="a word in every row",
            found=f"{len(blank)} blank of {len(words)}",
            do="remove these lines (and the embeddings that belong to them)",
        )
    if not words:
        raise MmclustError(
            "The vocabulary is empty",
            where=path,
            expected="words",
            found="none",
            do="add wordnet to data.sources, or name a list of your own in "
            "nouns.vocabulary",
        )
    return Vocabulary(words, [text for _, text in pairs], file_digest(path))


def unique(words: list[str]) -> tuple[list[str], list[int]]:
    """Return the distinct words by first occurrence, and where each row's is."""
    position: dict[str, int] = {}
    place = [position.setdefault(word, len(position)) for word in words]
    return list(position), place


@dataclass(frozen=True)
class NounSpace:
    """The nouns chosen for some images, and their embeddings: float32 (m, d).

    ``groups``, int64 (n,), is the centre of each image; ``facts`` are how many centres
    were asked for, and to how many of them no image, or no noun, was given.
    """

    chosen: Chosen
    nouns: Array
    groups: Array
    facts: dict[str, int]


def noun_space(
    images: Array,
    embeddings: Array,
    place: Array,
    words: list[str],
    k: int,
    params: NounsParams,
    *,
    seed: int,
    device: str = "cpu",
) -> NounSpace:
    """Choose the nouns that tell the images' centres apart.

    ``images`` are those that are fitted on, float32 (n, d), as ``embeddings``, (u, d),
    at unit norm; ``place``, int64 (r,), is the embedding of each of the r words of the
    vocabulary; ``k`` the number of image centres.
    """
    rows = np.arange(len(words))
    if params.deduplicate_nouns:
        rows = np.sort(np.unique(words, return_index=True)[1])
    require_centres(k, nouns=len(rows), images=len(images))
    centres, groups = image_centres(images, k, params, seed=seed, device=device)
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
    nouns = embeddings[place[chosen.rows]]
    facts = {
        "centres": k,
        "centres_without_images": k - len(centres),
        "centres_without_nouns": len(centres) - len(np.unique(chosen.centres)),
    }
    return NounSpace(chosen, nouns, groups, facts)


def nouns_of_benchmark(
    root: Path, benchmark: str, params: Params, *, device: str = "cpu"
) -> dict[str, Any]:
    """Choose a benchmark's nouns from its images; captions and labels are not read."""
    built = root / "data/benchmarks" / benchmark
    manifest = read_manifest(built / "manifest.parquet")
    name, out = params.model.encoder, root / "data/nouns" / benchmark
    instance = params.instance("encoders", name, benchmark)
    listed = root / params.nouns.vocabulary
    empty = listed.is_file() and listed.read_bytes().strip() in EMPTY
    if not params.model.heads and (empty or not shares_space(instance)):
        none = {"encoder": "", "manifest": manifest.digest, "nouns": 0}
        write_json(out / "nouns.json", none)
        return none
    folder = root / "data/features" / benchmark / name
    features = read_features(folder, manifest)
    encoder = shared_encoder(instance, folder)
    images = unit_rows(
        features.views["image"], folder / "image.npy", len(manifest), features.skipped
    )
    images[features.skipped] = np.nan  # some may lack a caption alone
    fit = features.kept(manifest.fit_rows)
    vocabulary = read_vocabulary(listed)
    words, place = unique(vocabulary.words)
    embeddings = word_embeddings(
        words, encoder, params.nouns, out.parent / "_embeddings", device=device
    )
    require_same_space(images.shape[1], embeddings.shape[1], "nouns")
    rule = params.nouns.centres
    # Only the rule asks for k; `auto` is found later, with the nouns' names.
    asked = rule == "rule" and params.model.k != "auto"
    k = n_clusters(params, root, benchmark) if asked else 0
    space = noun_space(
        images[fit],
        unit_rows(embeddings, Path(params.nouns.vocabulary)),
        np.asarray(place),
        vocabulary.words,
        n_centres(len(fit), k, benchmark, rule),
        params.nouns,
        seed=derive(params.seed, "nouns", benchmark),
        device=device,
    )
    skipped = len(features.skipped)
    meta = {
        "benchmark": benchmark,
        "encoder": name,
        "manifest": manifest.digest,
        "image_features": features.meta["sha256"]["image.npy"],
        **({"model": encoder.model} if encoder.model else {}),
        "seed": params.seed,
        **({"skipped": skipped} if skipped else {}),
        "prompts_cut": prompts_cut(words, encoder, params.nouns),
    }
    return write_space(
        out, images, fit, space, vocabulary, params.nouns, meta, device=device
    )


def fingerprint_of_nouns(
    benchmark: str, params: Params, *, device: str = "cpu"
) -> Fingerprint:
    """Take the fingerprint of a run here; see :func:`nouns_of_benchmark`."""
    name, built = params.model.encoder, Path("data/benchmarks") / benchmark
    instance = params.instance("encoders", name, benchmark)
    return fingerprint(
        ("nouns", benchmark),
        [Path("data/nouns") / benchmark],
        modules=[__name__, *instance.modules],
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
            "encoder_options": instance.options,
            "heads": bool(params.model.heads),
            "device": device.partition(":")[0],
        },
        weights=weights_of(instance),
    )


def write_space(
    out: Path,
    images: Array,
    fit: Array,
    space: NounSpace,
    vocabulary: Vocabulary,
    params: NounsParams,
    meta: dict[str, Any],
    *,
    device: str,
) -> dict[str, Any]:
    """Write the nouns and the text counterparts of all images, float32 (n, d).

    ``fit`` are the rows of the space's images; rows that are NaN stay it.

    ``nouns.parquet``: word, definition, centre, rank, confidence, row of the vocabulary
    (ascending). ``nouns.npy``, in that order; ``counterparts.npy``; ``centres.npy``,
    the centre of each image, -1 where it is not fitted on; and ``nouns.json``, which
    makes them count.
    """
    import pyarrow as pa

    kept = ~np.isnan(images[:, 0])
    text = np.full_like(images, np.nan)
    text[kept] = counterparts(
        images[kept],
        space.nouns,
        temperature=params.counterpart_temperature,
        dtype=params.counterpart_dtype,
        device=device,
    )
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
        **space.facts,
        "nouns": len(rows),
        "distinct_nouns": len(set(table["word"].to_pylist())),
        "params": asdict(params),
    }
    groups = np.full(len(text), -1, np.int32)
    groups[fit] = space.groups
    write_table(out / "nouns.parquet", table, meta)
    arrays = {"nouns": space.nouns, "counterparts": text, "centres": groups}
    for name, array in arrays.items():
        write_array(out / f"{name}.npy", array)
    facts |= sealed(out, ["nouns.parquet", *(f"{name}.npy" for name in arrays)])
    write_json(out / "nouns.json", facts)
    return facts


def nouns_of_files(
    image_features: Path,
    nouns_features: Path,
    words: Path,
    out: Path,
    *,
    params: NounsParams,
    k: int,
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, Any]:
    """Choose nouns for one's own embeddings; see :func:`write_space` for the files."""
    images = read_rows(image_features)
    vocabulary = read_vocabulary(words)
    embeddings = read_rows(nouns_features, len(vocabulary.words))
    require_same_space(images.shape[1], embeddings.shape[1], "nouns")
    space = noun_space(
        images,
        embeddings,
        np.arange(len(embeddings)),
        vocabulary.words,
        n_centres(len(images), k, "", params.centres),
        params,
        seed=derive(seed, "nouns"),
        device=device,
    )
    meta = {"image_features": file_digest(image_features), "seed": seed}
    fit = np.arange(len(images))
    return write_space(out, images, fit, space, vocabulary, params, meta, device=device)

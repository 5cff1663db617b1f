"""What a head reads of a benchmark, or of files of one's own; labels are not among it.

A head names it in ``READS``; see :class:`mmclust.core.types.HeadInputs`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.features import (
    check_features,
    normalised,
    read_features,
    require_nouns,
    require_sealed,
)
from mmclust.core.io import read_array, read_record, read_table
from mmclust.core.plugins import IS
from mmclust.core.types import HeadInputs
from mmclust.heads._embeddings import (
    FITTED,
    SharedEncoder,
    prompts_of,
    shared_encoder,
    word_embeddings,
)
from mmclust.heads._nouns import read_vocabulary, unique
from mmclust.heads._rows import read_rows, require_same_space, unit_rows
from mmclust.heads._space import (
    image_centres,
    mean_directions,
    n_centres,
    require_centres,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from mmclust.core.features import Features
    from mmclust.core.manifest import Manifest
    from mmclust.core.params import NounsParams, Params

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class BenchmarkInputs:
    """What a head reads of all of a benchmark's images, in manifest order.

    ``features`` are those of ``model.encoder``; ``encoders`` names those of the spaces.
    ``words`` are the kept nouns and their embeddings, if there are any, to name
    clusters by. Rows of ``skipped`` images, int64, are NaN in some of it.
    """

    inputs: HeadInputs
    features: Features
    encoders: dict[str, Features]
    words: tuple[Array, list[str]] | None
    images: Array | None
    skipped: Array

    def kept(self, rows: Array) -> Array:
        """Return those of some rows that have features in every encoder read."""
        return rows[~np.isin(rows, self.skipped)]


def encoders_of(module: ModuleType, options: Any, main: str) -> tuple[str, ...]:
    """Return the encoders whose raw features a head reads."""
    if "spaces" not in module.READS:
        return ()
    asked = tuple(getattr(options, "encoders", ()) or (main,))
    if len(set(asked)) < len(asked):
        raise MmclustError(
            "An encoder is named twice",
            where="encoders, of the head in params.yaml",
            expected="each encoder once: its features are one space",
            found=", ".join(asked),
            do="name each once",
        )
    return asked


def read_inputs(
    root: Path,
    manifest: Manifest,
    params: Params,
    module: ModuleType,
    options: Any,
    *,
    device: str = "cpu",
) -> BenchmarkInputs:
    """Read what a head asks for, and the nouns that name clusters, where there are."""
    main, name, reads = params.model.encoder, manifest.benchmark, module.READS
    folder, nouns = root / "data/features" / name, root / "data/nouns" / name
    features = read_features(folder / main, manifest)
    there = not {"text", "nouns"}.isdisjoint(reads)
    if not there and (nouns / "nouns.json").is_file():
        there = read_record(nouns / "nouns.json", {"encoder": str})["encoder"] == main
    facts = require_nouns(nouns, features, manifest) if there else {}
    n, skipped = len(manifest), features.skipped
    image = text = words = vocabulary = None
    if there or "image" in reads:
        where = folder / main / "image.npy"
        image = unit_rows(features.views["image"], where, n, skipped)
    if there:
        table = read_table(nouns / "nouns.parquet")[0]
        words = read_rows(nouns / "nouns.npy"), table["word"].to_pylist()
    if "text" in reads:
        text = read_rows(nouns / "counterparts.npy", n, skipped)
    if "nouns" in reads and image is not None:
        again = f"choose them again: mmclust nouns {name}"
        require_sealed(nouns, "nouns.json", facts, ["centres.npy"], again)
        vocabulary = _encoded_nouns(root, name, params, image, device)
    others = {
        each: features if each == main else read_features(folder / each, manifest)
        for each in encoders_of(module, options, main)
    }
    spaces = tuple(_images_of(each, found) for each, found in others.items())
    own = image if "image" in reads else None
    absent = np.unique(np.concatenate([skipped, *(f.skipped for f in others.values())]))
    return BenchmarkInputs(
        HeadInputs(own, text, spaces, vocabulary),
        features,
        others,
        words,
        image,
        absent.astype(np.int64),
    )


def _images_of(encoder: str, features: Features) -> Array:
    """Return the raw features of images, (n, d)."""
    if "image" not in features.views:
        raise MmclustError(
            f"{encoder} has no features of images",
            where="encoders, of the head in params.yaml",
            expected="encoders of images",
            found=encoder,
            do="take it out of the head's encoders",
        )
    return np.asarray(features.views["image"])


def _encoded_nouns(
    root: Path, benchmark: str, params: Params, image: Array, device: str
) -> EncodedNouns:
    """Return the vocabulary, and the centres of the images fitted on."""
    main, nouns = params.model.encoder, root / "data/nouns" / benchmark
    groups = read_array(nouns / "centres.npy")
    fitted = np.flatnonzero(groups >= 0)
    words, place = unique(read_vocabulary(root / params.nouns.vocabulary).words)
    return EncodedNouns(
        words,
        np.asarray(place, np.int64),
        mean_directions(image[fitted], groups[fitted], int(groups.max()) + 1),
        shared_encoder(
            params.instance("encoders", main, benchmark),
            root / "data/features" / benchmark / main,
        ),
        params.nouns,
        nouns.parent / "_embeddings",
        device,
    )


@dataclass(frozen=True)
class EncodedNouns:
    """A vocabulary whose words an encoder embeds when asked; :class:`Nouns`."""

    words: list[str]
    place: Array
    centres: Array
    encoder: SharedEncoder
    params: NounsParams
    cache: Path
    device: str

    def embeddings(
        self, templates: Sequence[str] = (), *, normalise: bool = False
    ) -> Array:
        """Return float32 (u, d)."""
        asked = self._asked(templates, normalise=normalise)
        return word_embeddings(
            self.words, self.encoder, asked, self.cache, device=self.device
        )

    def prompts(self, words: Sequence[str], templates: Sequence[str] = ()) -> Array:
        """Return float32 (prompts, m, d)."""
        return prompts_of(words, self.encoder, self._asked(templates), self.device)

    def _asked(
        self, templates: Sequence[str], *, normalise: bool = False
    ) -> NounsParams:
        asked = tuple(templates) or self.params.templates
        return replace(self.params, templates=asked, prompt_normalisation=normalise)


@dataclass(frozen=True)
class GivenNouns:
    """A vocabulary whose rows were embedded elsewhere; :class:`Nouns`.

    ``arrays``, float32 (u, d) each, are one for each prompt, or one that is their mean.
    """

    words: list[str]
    place: Array
    centres: Array
    arrays: tuple[Array, ...]

    def embeddings(
        self, templates: Sequence[str] = (), *, normalise: bool = False
    ) -> Array:
        """Return the mean of what was given, whatever the templates."""
        del templates
        rows = [normalised(a) for a in self.arrays] if normalise else [*self.arrays]
        if len(rows) == 1:
            return rows[0]
        return np.asarray(np.mean(rows, axis=0, dtype=np.float64), np.float32)

    def prompts(self, words: Sequence[str], templates: Sequence[str] = ()) -> Array:
        """Return what was given of some words: float32 (arrays, m, d)."""
        del templates
        place = {word: i for i, word in enumerate(self.words)}
        rows = [place[word] for word in words]
        return np.stack([array[rows] for array in self.arrays])


def given_nouns(
    words: Path,
    arrays: Sequence[Path],
    images: Array,
    k: int,
    params: NounsParams,
    *,
    seed: int,
    device: str = "cpu",
) -> GivenNouns:
    """Read a vocabulary and its embeddings, a row for each of its rows, by files.

    The centres are those of ``images``, (n, d) at unit norm, as for ``mmclust nouns``.
    """
    listed = read_vocabulary(words).words
    distinct, place = unique(listed)
    first = np.unique(place, return_index=True)[1]
    embedded = []
    for path in arrays:
        rows = read_array(path)
        check_features(rows, path, len(listed))
        require_same_space(images.shape[1], rows.shape[1], "nouns")
        embedded.append(np.asarray(rows, np.float32)[first])
    count = n_centres(len(images), k, "", params.centres)
    require_centres(count, images=len(images))
    _, groups = image_centres(images, count, params, seed=seed, device=device)
    centres = mean_directions(images, groups, int(groups.max()) + 1)
    return GivenNouns(distinct, np.asarray(place), centres, tuple(embedded))


def read_spaces(paths: Sequence[Path]) -> tuple[Array, ...]:
    """Read arrays of raw features, rows of the same images: float32 (n, d_s) each."""
    found: list[Array] = []
    for path in paths:
        array = read_array(path)
        check_features(array, path, len(found[0]) if found else None)
        found.append(np.asarray(array, np.float32))
    return tuple(found)


def encoder_facts(features: Features, folder: Path, out: Path) -> dict[str, Any]:
    """Return what `mmclust assign` needs to encode new pictures alike."""
    files = features.meta["sha256"]
    return {
        "encoder": features.meta["encoder"],
        "dim": int(features.views["image"].shape[1]),
        "encoder_params": features.meta["params"],
        **({"encoder_is": features.meta[IS]} if IS in features.meta else {}),
        "model": features.meta.get("model"),
        "features": os.path.relpath(folder, out),
        "fitted": {name: files[name] for name in FITTED if name in files},
    }

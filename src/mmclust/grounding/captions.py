"""What captions' clusters say: sentence-image matching and nouns.

Both are defined by Berger et al. (NAACL 2022) and were never run there.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file
from mmclust.core.tokens import tokenize
from mmclust.scoring.intervals import Sampled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.manifest import Manifest
    from mmclust.grounding.look import Model

Array = np.ndarray[Any, Any]

NOUN_TAGS = frozenset(["NN", "NNP", "NNS", "NNPS", "PRP"])
"""The tags that count as nouns."""


def caption_indicators(
    tokens: list[list[int]], clusters: Array, confidence: Array, threshold: float
) -> Array:
    """Return the clusters of m captions, those of their sufficiently sure words.

    bool (m, C), C being one more than the highest cluster. Captions are positions of
    words in (v,) clusters and confidence; -1 is unknown.
    """
    found = np.zeros((len(tokens), int(clusters.max(initial=-1)) + 1), bool)
    row = np.repeat(np.arange(len(tokens)), [len(each) for each in tokens])
    word = np.array([w for each in tokens for w in each], int)
    known = word >= 0
    row, word = row[known], word[known]
    sure = (clusters[word] >= 0) & (confidence[word] >= threshold)
    found[row[sure], clusters[word[sure]]] = True
    return found


def sentence_matching(images: Array, captions: Array) -> dict[str, Array]:
    """Tell, for consecutive pairs of samples, whether the first knows its caption.

    The pairs are (0, 1), (2, 3), …; a last single sample is left out. The Hamming
    distance of the first image's clusters, bool (m, C), to its own caption's is held
    against that to the second caption's. ``right``: its own is strictly nearer;
    ``wrong``: the other one is. Accuracy is the share of right ones, extended accuracy
    1 minus the share of wrong ones.
    """
    end = len(images) // 2 * 2
    first, own, other = images[:end:2], captions[:end:2], captions[1:end:2]
    to_own, to_other = (first != own).sum(axis=1), (first != other).sum(axis=1)
    return {"right": to_own < to_other, "wrong": to_own > to_other}


def noun_counts(predicted: Array, gold: Array, owner: Array, n: int) -> Array:
    """Count right, wrong and missed nouns of each of n images: int64 (n, 3).

    Of each token (t,): whether it is taken for a noun, whether it is one, its image.
    """
    kinds = (predicted & gold, predicted & ~gold, gold & ~predicted)
    return np.stack([np.bincount(owner[k], minlength=n) for k in kinds], axis=1)


COLUMNS = ["image_id", "caption", "token", "tag"]


def tagged_tokens(
    tags: str, manifest: Manifest, rows: Array
) -> tuple[list[str], list[str], Array]:
    """Return the tokens of images' captions with their gold tags.

    Tokens are tagged as they are; nothing is joined and cut again.
    """
    ids, captions = manifest.image_ids, manifest.captions
    keys = [(ids[r], n) for r in rows.tolist() for n in range(len(captions[r]))]
    texts = [text for row in rows.tolist() for text in captions[row]]
    tokens = tokenize(texts)
    if tags.endswith(".tsv"):
        listed = _read_tags(Path(tags))
        given = [listed.get(key) for key in keys]
        _check_tags(Path(tags), keys, tokens, given)
        labels = [None if each is None else [tag for _, tag in each] for each in given]
    else:
        labels = list(_spacy_tags(tags, tokens))
    place = {ids[row]: at for at, row in enumerate(rows.tolist())}
    kept = [
        (token, tag, place[key[0]])
        for key, mine, tagged in zip(keys, tokens, labels, strict=True)
        if tagged is not None
        for token, tag in zip(mine, tagged, strict=True)
    ]
    owner = np.array([at for *_, at in kept], np.int64)
    return [token for token, *_ in kept], [tag for _, tag, _ in kept], owner


def nouns_of(
    model: Model, seed: int, tagged: tuple[list[str], list[str], Array], n: int
) -> Array:
    """Count nouns of each of n images: a word sure of its cluster is taken for one."""
    tokens, tags, owner = tagged
    ids = np.array([model.place.get(token, -1) for token in tokens], np.int64)
    sure = model.confidence(seed) >= float(model.facts["text_threshold"])
    predicted = (ids >= 0) & np.append(sure, False)[ids]
    gold = np.array([tag in NOUN_TAGS for tag in tags], bool)
    return noun_counts(predicted, gold, owner, n)


def _read_tags(path: Path) -> dict[tuple[str, int], list[tuple[str, str]]]:
    """Return the tokens and tags of each image's captions."""
    found: dict[tuple[str, int], list[tuple[str, str]]] = {}
    with require_file(path, "correct grounding.tags").open(
        encoding="utf-8", newline=""
    ) as file:
        reader = csv.DictReader(file, delimiter="\t")
        if reader.fieldnames != COLUMNS:
            raise MmclustError(
                "A file of tags has other columns",
                where=path,
                expected=", ".join(COLUMNS),
                found=", ".join(reader.fieldnames or []) or "an empty file",
                do="separate them by tabs, with a header",
            )
        for line, entry in enumerate(reader, 2):
            number = entry["caption"] or ""
            if not number.isdecimal() or entry["tag"] is None:
                raise MmclustError(
                    "A line of a file of tags is not complete",
                    where=f"{path}, line {line}",
                    expected="an image id, the number of its caption, a token, a tag",
                    found="; ".join(str(v) for v in entry.values()),
                )
            key = entry["image_id"], int(number)
            found.setdefault(key, []).append((entry["token"], entry["tag"]))
    return found


def _check_tags(
    path: Path,
    keys: Sequence[tuple[str, int]],
    tokens: Sequence[Sequence[str]],
    given: Sequence[Sequence[tuple[str, str]] | None],
) -> None:
    """Refuse tags of other tokens, or of no caption at all."""
    if all(each is None for each in given):
        raise MmclustError(
            "A file of tags knows none of the captions",
            where=path,
            expected=f"images such as {keys[0][0]}" if keys else "captions to tag",
            found="none of them",
            do="give the tags of the images that are scored",
        )
    for key, mine, listed in zip(keys, tokens, given, strict=True):
        if listed is not None and [token for token, _ in listed] != list(mine):
            raise MmclustError(
                "Tags are of other tokens than the caption has",
                where=f"{path}, image {key[0]}, caption {key[1]}",
                expected=" ".join(mine),
                found=" ".join(token for token, _ in listed),
                do="tag the tokens that spaCy's English tokenizer gives, lower-cased",
            )


def _spacy_tags(name: str, tokens: Sequence[Sequence[str]]) -> list[list[str]]:
    """Tag tokens with a spaCy model, as they stand."""
    import spacy
    from spacy.tokens import Doc

    try:
        pipeline = spacy.load(name, disable=["ner", "lemmatizer"])
    except OSError as error:
        raise MmclustError(
            "Nouns need a spaCy model that is not installed",
            where="grounding.tags",
            expected="the name of an installed model, or a .tsv of tagged tokens",
            found=name,
            do=f"python -m spacy download {name}, or set grounding.tags to null",
        ) from error
    documents = pipeline.pipe(Doc(pipeline.vocab, words=list(t)) for t in tokens)
    found = [[token.tag_ for token in document] for document in documents]
    if not any(tag for each in found for tag in each):
        raise MmclustError(
            "A spaCy model gives no tags",
            where="grounding.tags",
            expected="a model with a tagger, such as en_core_web_sm",
            found=f"{name}: {', '.join(pipeline.pipe_names) or 'nothing in it'}",
        )
    return found


def matched_pairs(
    model: Model, seed: int, captions: Sequence[Sequence[str]], active: Array
) -> dict[str, Array]:
    """Match images with captions; a sample is an image with its first caption.

    Images without caption are left out. Pairs are consecutive ones in manifest order.
    ``active`` are the images' clusters, bool (n, C).
    """
    have = np.array([bool(each) for each in captions], bool)
    first = tokenize([each[0] for each in captions if each], lemmas=model.lemmas)
    ids = [[model.place.get(token, -1) for token in tokens] for tokens in first]
    found = caption_indicators(
        ids,
        model.words.clusters[seed],
        model.confidence(seed),
        float(model.facts["text_threshold"]),
    )
    indicators = np.zeros((len(found), model.clusters), bool)
    indicators[:, : found.shape[1]] = found
    return sentence_matching(active[have], indicators)


def matching_figures(
    model: Model,
    captions: Sequence[Sequence[str]],
    active: Sequence[Array],
    *,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return the figures of sentence-image matching, sampled over pairs.

    ``active`` are each run's clusters of the images, bool (n, C).
    """
    runs = [matched_pairs(model, s, captions, each) for s, each in enumerate(active)]
    n_pairs = len(runs[0]["right"])
    values = {
        "accuracy": np.stack([run["right"] for run in runs]),
        "extended_accuracy": np.stack([~run["wrong"] for run in runs]),
    }
    draws: Any = rng.integers(n_pairs, size=(n_resamples, n_pairs)) if n_pairs else []
    figures: dict[str, Any] = {"n_pairs": n_pairs}
    for name, each in values.items():
        scores = each.mean(axis=1) if n_pairs else np.array([])
        drawn = [each[:, rows].mean(axis=1) for rows in draws]
        resampled = np.stack(drawn) if drawn else None
        figures[name] = Sampled(
            scores, resampled, n_pairs, limits=(0.0, 1.0),
            why="fewer than two images have a caption",
        )  # fmt: skip
    return figures

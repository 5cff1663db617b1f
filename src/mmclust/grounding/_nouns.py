"""Noun identification: words that are sure of a cluster, against gold tags."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file
from mmclust.core.tokens import tokenize
from mmclust.scoring.caption_clusters import NOUN_TAGS, noun_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.manifest import Manifest
    from mmclust.grounding._model import Model

Array = np.ndarray[Any, Any]

COLUMNS = ["image_id", "caption", "token", "tag"]


def tagged_tokens(
    tags: str, manifest: Manifest, rows: Array
) -> tuple[list[str], list[str], Array]:
    """Return the tokens of images' captions with their gold tags.

    Tokens are tagged as they are; nothing is joined and cut again.

    Parameters
    ----------
    tags
        A ``.tsv`` with the columns :data:`COLUMNS` (``caption`` counts an image's
        captions from 0; captions it leaves out are not scored), or a spaCy model.
    manifest, rows
        The images.

    Returns
    -------
    tokens, tags : list of str
        Of all captions, one after the other.
    owner : numpy.ndarray
        int64: position in ``rows`` of each token's image.

    Raises
    ------
    MmclustError
        When the file or the model is missing, or the file's tokens are not those of
        the captions.
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
    place = {word: at for at, word in enumerate(model.words.words)}
    ids = np.array([place.get(token, -1) for token in tokens], np.int64)
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

"""What the fine-grained captions look like, counted as the publisher's table counts."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mmclust.benchmarks._fg import FineGrained

PATTERNS = {
    "with_final_full_stop": re.compile(r"\.\s*$"),
    "with_upper_case": re.compile(r"[A-Z]"),
    "with_double_blank": re.compile(r"  "),
    "with_digit": re.compile(r"[0-9]"),
    "with_comma": re.compile(r","),
    "with_hyphen": re.compile(r"-"),
    "with_non_ascii": re.compile(r"[^\x00-\x7f]"),
    "with_line_break": re.compile(r"[\r\n]"),
}


def text_notes(captions: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Count captions, what is shared and repeated, and what is in them.

    Parameters
    ----------
    captions
        Of each image.

    Returns
    -------
    dict
        ``shared_strings``: captions that two or more images have, and
        ``shared_captions``: how often such a caption is that of an image;
        ``repeats_within_image``: captions that repeat one of the same image.
        Words are what blanks separate.
    """
    texts = [text for each in captions.values() for text in each]
    owners = Counter(text for each in captions.values() for text in set(each))
    shared = {text: n for text, n in owners.items() if n > 1}
    words = np.array([len(text.split()) for text in texts])
    characters = np.array([len(text) for text in texts])
    return {
        "captions": len(texts),
        "distinct": len(owners),
        "shared_strings": len(shared),
        "shared_captions": sum(shared.values()),
        "repeats_within_image": len(texts) - sum(owners.values()),
        "words": _spread(words) | {"median": float(np.median(words))},
        "characters": _spread(characters),
        "distinct_words": len({word for text in texts for word in text.split()}),
        **{
            name: sum(bool(pattern.search(text.strip())) for text in texts)
            for name, pattern in PATTERNS.items()
        },
    }


def pool_notes(fine: FineGrained) -> dict[str, Any]:
    """Count the pool, and say how its order relates to that of the captions.

    Parameters
    ----------
    fine
        The benchmark.

    Returns
    -------
    dict
        ``queries_first``: whether the query images are the first entries;
        ``same_order``: whether in the order of the captions.
    """
    n_queries = len(fine.captions)
    first = [name.removesuffix(".jpg") for name in fine.pool[:n_queries]]
    n_distractors = len(fine.pool) - n_queries
    return {
        "images": len(fine.pool),
        "queries": n_queries,
        "distractors": n_distractors,
        "distractors_per_query": round(n_distractors / n_queries, 2),
        "queries_first": set(first) == fine.captions.keys(),
        "same_order": first == list(fine.captions),
    }


def _spread(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    mean = round(float(values.mean()), 2)
    return {"min": int(values.min()), "mean": mean, "max": int(values.max())}

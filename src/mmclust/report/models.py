"""The models behind features, as ``features.json`` names them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def models_of(facts: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the models that facts name: one, or those of the members of a fusion.

    Parameters
    ----------
    facts
        ``model`` or ``captions`` of ``features.json``; a model is what has
        ``weights``.
    """
    if "weights" in facts:
        yield facts
        return
    for key, inner in facts.items():
        if isinstance(inner, dict) and key != "params":
            yield from models_of(inner)

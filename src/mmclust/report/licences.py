"""Terms and citations of the data that a page was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.yaml_file import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.params import Params

FACTS = ("title", "licence", "citation", "homepage")


def licences(root: Path, params: Params) -> list[dict[str, Any]]:
    """Return what ``data/sources.yaml`` says of the sources that are fetched.

    Parameters
    ----------
    root
        The root of the repository; without the file nothing is known.
    params
        ``data.sources``.

    Returns
    -------
    list of dict
        ``name`` and :data:`FACTS`; a source that is not in the file has only its
        name, and None for the others.
    """
    path = root / "data/sources.yaml"
    values = read_yaml(path) if path.is_file() else None
    known = values if isinstance(values, dict) else {}
    entries = {name: known.get(name) for name in params.data.sources}
    return [
        {"name": name}
        | {fact: entry.get(fact) if isinstance(entry, dict) else None for fact in FACTS}
        for name, entry in entries.items()
    ]

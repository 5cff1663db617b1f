"""Terms and citations of the data that a page was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
    import yaml

    path = root / "data/sources.yaml"
    known = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return [
        {"name": name, **{fact: known.get(name, {}).get(fact) for fact in FACTS}}
        for name in params.data.sources
    ]

"""Where a benchmark comes from: titles, licences and citations, from the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Origin:
    """What is known of a source.

    Parameters
    ----------
    name
        Its key in the registry.
    title, homepage, licence, citation
        As the registry says; empty where it says nothing.
    sample
        Whether these are the built-in files rather than the publisher's.
    """

    name: str
    title: str = ""
    homepage: str = ""
    licence: str = ""
    citation: str = ""
    sample: bool = False


def read_origins(
    registry: Path | None, names: Sequence[str], *, sample: bool
) -> list[Origin]:
    """Return what the registry says of some sources.

    Parameters
    ----------
    registry
        ``data/sources.yaml``; ``None``: nothing is known.
    names
        Of the sources.
    sample
        Whether the built-in files were read.

    Raises
    ------
    MmclustError
        When the registry is not YAML.
    """
    entries: Any = {}
    if registry is not None and names:
        import yaml

        try:
            entries = yaml.safe_load(require_file(registry).read_bytes())
        except yaml.YAMLError as error:
            raise MmclustError(
                "The registry of sources is not valid YAML",
                where=registry,
                found=error,
                do="mend it; `mmclust sources list` reads it",
            ) from error
    known = entries if isinstance(entries, dict) else {}
    return [_origin(name, known.get(name), sample=sample) for name in names]


def _origin(name: str, entry: Any, *, sample: bool) -> Origin:
    facts = entry if isinstance(entry, dict) else {}
    # The text of a list could be endless: aliases may repeat it in itself.
    facts = {k: v for k, v in facts.items() if isinstance(v, str | int | float)}
    words = {
        key: str(facts.get(key) or "")
        for key in ("title", "homepage", "licence", "citation")
    }
    return Origin(name, **words, sample=sample)

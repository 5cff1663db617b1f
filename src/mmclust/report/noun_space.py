"""The nouns that heads use: what lies near the images of a benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.features import require_sealed
from mmclust.core.io import read_json, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.report.run import Run


def noun_space(root: Path, run: Run) -> dict[str, Any] | None:
    """Return the chosen nouns, by the centre of images that chose them.

    Parameters
    ----------
    root
        The root of the repository.
    run
        The benchmark.

    Returns
    -------
    dict or None
        ``meta`` (the contents of ``nouns.json``), ``path`` and ``centres``: for
        each centre that has nouns its ``id`` and ``nouns`` (word, definition,
        confidence), the surest first; centres with the surest noun first. None for
        a run without heads, or whose stage chose no noun.

    Raises
    ------
    MmclustError
        When the nouns were chosen for another manifest.
    """
    folder = root / "data/nouns" / run.name
    if not folder.is_dir():
        return None
    meta = read_json(folder / "nouns.json")
    if meta["manifest"] != run.manifest.digest:
        raise MmclustError(
            "These nouns were chosen for another manifest",
            where=folder,
            expected=f"manifest {run.manifest.digest[:16]}…",
            found=f"manifest {str(meta['manifest'])[:16]}…",
            do="run `dvc repro`, which brings every file up to date",
        )
    if not meta["nouns"]:
        return None
    again = "run `dvc repro`, which brings every file up to date"
    require_sealed(folder, "nouns.json", meta, ["nouns.parquet"], again)
    centres: dict[int, list[dict[str, Any]]] = {}
    for row in read_table(folder / "nouns.parquet")[0].to_pylist():
        centres.setdefault(row["centre"], []).append(
            {**row, "word": row["word"].replace("_", " ")}
        )
    for nouns in centres.values():
        nouns.sort(key=lambda noun: (noun["rank"], noun["word"]))
    ordered = sorted(centres.items(), key=lambda one: (-_surest(one[1]), one[0]))
    return {
        "meta": meta,
        "path": folder / "nouns.parquet",
        "centres": [{"id": centre, "nouns": nouns} for centre, nouns in ordered],
    }


def _surest(nouns: list[dict[str, Any]]) -> float:
    return max(float(noun["confidence"]) for noun in nouns)

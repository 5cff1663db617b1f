"""The stage ``build``: a benchmark's protocol run on a source, written down."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._coco_notes import container_notes
from mmclust.benchmarks._unpacked import readable_rows
from mmclust.core.io import write_json, write_table
from mmclust.core.labels import write_labels
from mmclust.core.manifest import write_manifest
from mmclust.core.plugins import load, params_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mmclust.core.types import Built


def build_benchmark(
    name: str,
    raw: Path,
    out: Path,
    params_block: Mapping[str, Any] | None = None,
    *,
    split: str | None = None,
    images: bool = True,
) -> dict[str, Any]:
    """Build a benchmark: write its manifest, labels and summary.

    Classes that are not given out, other captions and folds get files of their own:
    ``hidden.parquet``, ``captions_<name>.parquet``, ``folds.parquet``.

    Parameters
    ----------
    name
        A file of this folder.
    raw
        Folder of the source; of several, the folder that holds theirs.
    out
        Where ``manifest.parquet``, ``labels.parquet`` and ``summary.json`` go.
    params_block
        The benchmark's options by name; what is left out takes its default.
    split
        The publisher's name of the part to build from; ``None``: the protocol's.
    images
        Whether to look for image files (and insist on captions).

    Returns
    -------
    dict
        The contents of ``summary.json``.

    Raises
    ------
    MmclustError
        When the benchmark, an option or the split is unknown, or the source is
        incomplete; nothing has been written then.
    """
    plugin = load("benchmarks", name)
    params = params_of("benchmarks", name, params_block, f"benchmarks.{name}")
    split = plugin.DEFAULT_SPLIT if split is None else split
    built: Built = plugin.build(raw, params, split=split, images=images)
    rows = readable_rows(built.rows, out)
    containers = {row.container for row in built.rows if row.container}
    digest = write_manifest(
        out / "manifest.parquet",
        rows,
        benchmark=name,
        protocol=built.protocol,
        sources=built.sources,
        fit=built.fit,
        evaluate=built.evaluate,
        containers=container_notes(raw, containers),
    )
    write_labels(out / "labels.parquet", built.labels, built.hidden)
    _write_beside(out, built)
    summary = summarise(name, built, digest)
    write_json(out / "summary.json", summary)
    return summary


def summarise(name: str, built: Built, digest: str) -> dict[str, Any]:
    """Return the contents of ``summary.json``.

    Parameters
    ----------
    name
        The benchmark.
    built
        What its protocol chose.
    digest
        Of the manifest.

    Returns
    -------
    dict
        Counts and digests, in a fixed order; classes by falling count, then by
        name. ``captions_per_image`` holds min, mean and max.
    """
    per_class = Counter([*built.labels.values(), *built.hidden.values()])
    n_captions = [len(row.captions) for row in built.rows]
    return {
        "benchmark": name,
        "protocol": built.protocol,
        "images": len(built.rows),
        "n_classes": len(per_class),
        "captions": sum(n_captions),
        "captions_per_image": {
            "min": min(n_captions),
            "mean": round(sum(n_captions) / len(n_captions), 4),
            "max": max(n_captions),
        },
        "per_class": dict(sorted(per_class.items(), key=lambda c: (-c[1], c[0]))),
        "splits": dict(sorted(Counter(row.split for row in built.rows).items())),
        "fit": list(built.fit),
        "evaluate": list(built.evaluate),
        "notes": built.notes,
        "sources": dict(sorted(built.sources.items())),
        "manifest": digest,
    }


def _write_beside(out: Path, built: Built) -> None:
    """Write other captions and folds; an earlier build's do not stay."""
    tables: dict[str, tuple[str, Mapping[str, Any]]] = {
        f"captions_{kind}.parquet": ("captions", captions)
        for kind, captions in built.alternatives.items()
    }
    if built.folds:
        tables["folds.parquet"] = ("fold", built.folds)
    for path in [*out.glob("captions_*.parquet"), out / "folds.parquet"]:
        if path.name not in tables:
            path.unlink(missing_ok=True)
    for name, (column, values) in tables.items():
        _write_column(out / name, column, values)


def _write_column(path: Path, column: str, values: Mapping[str, Any]) -> None:
    import pyarrow as pa

    kinds = {"captions": pa.list_(pa.string()), "fold": pa.int32()}
    ids = sorted(values)
    columns = {
        "image_id": pa.array(ids, pa.string()),
        column: pa.array([values[i] for i in ids], kinds[column]),
    }
    write_table(path, pa.table(columns), {})

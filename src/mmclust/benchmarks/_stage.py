"""The stage ``build``: a benchmark's protocol run on a source, written down."""

from __future__ import annotations

import zipfile
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mmclust.benchmarks._binary import store_pictures
from mmclust.benchmarks._card import data_card
from mmclust.benchmarks._coco_notes import container_notes
from mmclust.benchmarks._duplicates import find_duplicates
from mmclust.benchmarks._expected import compare, per_class, split_allowance
from mmclust.benchmarks._fingerprints import fingerprints
from mmclust.benchmarks._origins import read_origins
from mmclust.benchmarks._source import taken_from
from mmclust.benchmarks._staging import staged
from mmclust.benchmarks._thumbnails import thumbnail_strip
from mmclust.benchmarks._unpacked import readable_rows
from mmclust.core.io import write_bytes, write_json, write_table, writing
from mmclust.core.labels import write_labels
from mmclust.core.manifest import read_manifest, write_manifest
from mmclust.core.objects import write_objects
from mmclust.core.plugins import load, params_of
from mmclust.core.text import same_form, whole
from mmclust.core.types import Objects

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
    allow_different: bool = False,
    registry: Path | None = None,
    workers: int = 1,
    complete: bool = False,
) -> dict[str, Any]:
    """Build a benchmark: write its manifest, labels, summary and data card.

    Classes that are not given out, other captions, folds and what is where in the
    images get files of their own: ``hidden.parquet``, ``captions_<name>.parquet``,
    ``folds.parquet``, ``objects.parquet``, and pictures
    that lie in no file ``images.zip``; so have pairs of duplicates,
    ``duplicates.parquet``, and the card's pictures, ``thumbnails.jpg``, where images
    were looked for.

    Parameters
    ----------
    name
        A file of this folder.
    raw
        Folder of the source; of several, the folder that holds theirs.
    out
        Where ``manifest.parquet``, ``labels.parquet``, ``summary.json``, ``README.md``
        and the others go.
    params_block
        The benchmark's options by name; what is left out takes its default.
        ``allow_different`` among them is this stage's.
    split
        The publisher's name of the part to build from; ``None``: the protocol's.
    images
        Whether to look for image files (and insist on captions).
    allow_different
        Whether counts that are not the published ones are recorded, not refused.
    registry
        ``data/sources.yaml``, for the card's licences and citations.
    workers
        Threads that decode pictures; the bytes are the same at any number.
    complete
        Whether files that would have nothing to say are written all the same, empty:
        what the pipeline tracks must exist, or a checkout cannot tell it from lost.

    Returns
    -------
    dict
        The contents of ``summary.json``.

    Raises
    ------
    MmclustError
        When the benchmark, an option or the split is unknown, the source is
        incomplete, or the counts are not the published ones; nothing has been
        written then.
    """
    plugin = load("benchmarks", name)
    options, allowed = split_allowance(name, params_block)
    params = params_of("benchmarks", name, options, f"benchmarks.{name}")
    split = plugin.DEFAULT_SPLIT if split is None else split
    built = _plain_text(name, plugin.build(raw, params, split=split, images=images))
    allow = allowed or allow_different
    expected = compare(name, plugin, params, split, raw, built, allow=allow)
    taken = taken_from(plugin, params, raw)
    sample = "sample" in taken.values()
    origins = read_origins(registry, list(taken), sample=sample)
    with staged(out) as folder:
        digest = _write_rows(name, built, raw, folder, out, complete=complete)
        found = _look_at_pictures(folder, built, workers) if images else None
        summary = summarise(name, built, digest, expected, found)
        summary["taken_from"] = taken
        strip = (folder / "thumbnails.jpg").exists()
        card = data_card(plugin.__doc__, summary, origins, thumbnails=strip)
        write_bytes(folder / "README.md", card.encode())
        write_json(folder / "summary.json", summary)
    return summary


def _plain_text(name: str, built: Built) -> Built:
    """Bring class names into one Unicode form; refuse text that cannot be written."""
    captions = {row.image_id: row.captions for row in built.rows}
    for row in built.rows:
        whole(row.image_id, f"{name}, the id of an image")
        whole(row.member, f"{name}, the file of {row.image_id}")
    for each in (captions, *built.alternatives.values()):
        for image_id, texts in each.items():
            for text in texts:
                whole(text, f"{name}, a caption of {image_id}")
    labels, hidden = (
        {i: same_form(whole(c, f"{name}, the class of {i}")) for i, c in each.items()}
        for each in (built.labels, built.hidden)
    )
    return replace(built, labels=labels, hidden=hidden)


def _write_rows(
    name: str, built: Built, raw: Path, folder: Path, out: Path, *, complete: bool
) -> str:
    """Write pictures, manifest, labels and captions; return the manifest's digest."""
    rows = readable_rows(store_pictures(built, folder), folder, out)
    containers = {row.container for row in built.rows if row.container}
    digest = write_manifest(
        folder / "manifest.parquet",
        rows,
        benchmark=name,
        protocol=built.protocol,
        sources=built.sources,
        fit=built.fit,
        evaluate=built.evaluate,
        containers=container_notes(raw, containers),
    )
    hidden = built.hidden or ({} if complete else None)
    write_labels(folder / "labels.parquet", built.labels, hidden)
    _write_beside(folder, built, complete=complete)
    return digest


def _look_at_pictures(folder: Path, built: Built, workers: int) -> dict[str, Any]:
    """Write duplicates and thumbnails; return what the summary says of the former."""
    manifest = read_manifest(folder / "manifest.parquet")
    prints = fingerprints(manifest, workers=workers)
    found, pairs = find_duplicates(
        prints, manifest.image_ids, manifest.splits, built.labels
    )
    write_table(folder / "duplicates.parquet", pairs, {})
    strip = thumbnail_strip(manifest)
    if strip is not None:
        write_bytes(folder / "thumbnails.jpg", strip)
    return found


def summarise(
    name: str,
    built: Built,
    digest: str,
    expected: Mapping[str, Any],
    duplicates: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return the contents of ``summary.json``.

    Parameters
    ----------
    name
        The benchmark.
    built
        What its protocol chose.
    digest
        Of the manifest.
    expected
        How its counts compare with the published ones.
    duplicates
        What :func:`find_duplicates` counts; ``None`` without images.

    Returns
    -------
    dict
        Counts and digests, in a fixed order; classes by falling count, then by
        name. ``captions_per_image`` holds min, mean and max.
    """
    classes = per_class(built)
    n_captions = [len(row.captions) for row in built.rows]
    return {
        "benchmark": name,
        "protocol": built.protocol,
        "images": len(built.rows),
        "n_classes": len(classes),
        "captions": sum(n_captions),
        "captions_per_image": {
            "min": min(n_captions),
            "mean": round(sum(n_captions) / len(n_captions), 4),
            "max": max(n_captions),
        },
        "per_class": dict(sorted(classes.items(), key=lambda c: (-c[1], c[0]))),
        "splits": dict(sorted(Counter(row.split for row in built.rows).items())),
        "fit": list(built.fit),
        "evaluate": list(built.evaluate),
        "expected": dict(expected),
        **({"duplicates": dict(duplicates)} if duplicates is not None else {}),
        "notes": built.notes,
        "sources": dict(sorted(built.sources.items())),
        "manifest": digest,
    }


def _write_beside(out: Path, built: Built, *, complete: bool) -> None:
    """Write other captions, folds and objects, where there are; all if complete."""
    always: dict[str, Mapping[str, Any]] = {"original": {}} if complete else {}
    for kind, captions in (always | built.alternatives).items():
        _write_column(out / f"captions_{kind}.parquet", "captions", captions)
    if built.folds or complete:
        _write_column(out / "folds.parquet", "fold", built.folds or {})
    if built.objects or complete:
        write_objects(out / "objects.parquet", built.objects or Objects())
    if complete and not (out / "images.zip").exists():
        with (
            writing(out / "images.zip") as temporary,
            zipfile.ZipFile(temporary, "w"),
        ):
            pass


def _write_column(path: Path, column: str, values: Mapping[str, Any]) -> None:
    import pyarrow as pa

    kinds = {"captions": pa.list_(pa.string()), "fold": pa.int32()}
    ids = sorted(values)
    columns = {
        "image_id": pa.array(ids, pa.string()),
        column: pa.array([values[i] for i in ids], kinds[column]),
    }
    write_table(path, pa.table(columns), {})

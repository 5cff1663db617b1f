"""The stage ``build``: a benchmark's protocol run on a source, checked, written down.

A build appears as a whole: its files are made beside their folder, then moved. A
benchmark states the published counts, class by class, in ``expected(params, split)``.
They are compared unless the source is the built-in sample, split or options are not
the protocol's, or the benchmark's own ``incomparable(raw, built)`` gives a reason:
COCO-format files of the user's own are no faulty COCO.

``benchmarks.NAME.imbalance: {ratio: 10, seed: 782}`` thins the classes before anything
is fitted, for trying methods that expect equal classes. It reads labels, as all
construction of data does; no method sees more of them than of any benchmark.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.benchmarks._card import data_card, thumbnail_strip
from mmclust.benchmarks._duplicates import find_duplicates, fingerprints
from mmclust.benchmarks._image_places import readable_rows, store_pictures
from mmclust.benchmarks._source_files import (
    container_notes,
    taken_from,
    verified_by,
    whole,
)
from mmclust.core.errors import MmclustError, some
from mmclust.core.images import Images
from mmclust.core.io import (
    alone,
    file_digest,
    private,
    write_bytes,
    write_json,
    write_table,
    writing,
)
from mmclust.core.labels import write_labels
from mmclust.core.manifest import read_manifest, summary_path, write_manifest
from mmclust.core.objects import write_objects
from mmclust.core.params import BuildOptions, build_options
from mmclust.core.plugins import instance_of
from mmclust.core.registry import Source, read_registry
from mmclust.core.seeds import generator
from mmclust.core.text import same_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from mmclust.core.params import Imbalance
    from mmclust.core.types import Built, Objects


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
) -> dict[str, Any]:
    """Build a benchmark: write :data:`PARTS`, and the summary beside them."""
    plugin, params, own = _opened(name, params_block)
    split = plugin.DEFAULT_SPLIT if split is None else split
    built = _plain_text(name, plugin.build(raw, params, split=split, images=images))
    taken = taken_from(plugin, params, raw)
    sample = "sample" in taken.values()
    allow = own.allow_different or allow_different
    expected = _compared(
        name, plugin, params, split, raw, built, sample=sample, allow=allow
    )
    if own.imbalance is not None:
        built = thin(built, own.imbalance)
        why = f"classes were thinned to a ratio of {own.imbalance.ratio:g}"
        expected = {"matches": None, "why": why}
    known = read_registry(registry) if registry and taken else {}
    origins = [known.get(source, Source({}, name=source)) for source in taken]
    # The summary gets its place last: it says that all is there.
    with (
        contextlib.ExitStack() as moving,
        writing(summary_path(out)) as beside,
        staged(out, moving) as folder,
    ):
        digest = _write_rows(name, built, raw, folder)
        found = _look_at_pictures(folder, built, workers) if images else None
        summary = _summary(name, built, digest, expected, found)
        summary["taken_from"] = taken
        # Who reads these depends on the summary, as they are not there everywhere.
        others = sorted(path for each in OTHERS for path in folder.glob(each))
        summary["sha256"] = {path.name: file_digest(path) for path in others}
        strip = (folder / "thumbnails.jpg").exists()
        about = getattr(plugin, "about", plugin.__doc__)
        card = data_card(about, summary, origins, sample=sample, thumbnails=strip)
        write_bytes(folder / "README.md", card.encode())
        write_json(beside, summary)
    return summary


def _plain_text(name: str, built: Built) -> Built:
    """Bring class names into one Unicode form; refuse text that cannot be written."""
    for row in built.rows:
        whole(row.image_id, f"{name}, the id of an image")
        whole(row.member, f"{name}, the file of {row.image_id}")
    captions = {row.image_id: row.captions for row in built.rows}
    for each in (captions, *built.alternatives.values()):
        for image_id, texts in each.items():
            for text in texts:
                whole(text, f"{name}, a caption of {image_id}")
    classes = {c: i for i, c in [*built.labels.items(), *built.hidden.items()]}
    plain = {
        c: same_form(whole(c, f"{name}, the class of {i}")) for c, i in classes.items()
    }
    labels, hidden = (
        {i: plain[c] for i, c in each.items()} for each in (built.labels, built.hidden)
    )
    return replace(built, labels=labels, hidden=hidden)


def _write_rows(name: str, built: Built, raw: Path, folder: Path) -> str:
    """Write pictures, manifest, labels and captions; return the manifest's digest."""
    rows = readable_rows(store_pictures(built, folder), folder)
    digest = write_manifest(
        folder / "manifest.parquet",
        rows,
        benchmark=name,
        protocol=built.protocol,
        sources=built.sources,
        fit=built.fit,
        evaluate=built.evaluate,
        containers=container_notes(raw, built.rows),
    )
    write_labels(folder / "labels.parquet", built.labels, built.hidden)
    for kind, captions in built.alternatives.items():
        _write_column(folder / f"captions_{kind}.parquet", "captions", captions)
    if built.folds:
        _write_column(folder / "folds.parquet", "fold", built.folds)
    if built.objects:
        write_objects(folder / "objects.parquet", built.objects)
    return digest


def _write_column(path: Path, column: str, values: Mapping[str, Any]) -> None:
    import pyarrow as pa

    kinds = {"captions": pa.list_(pa.string()), "fold": pa.int32()}
    ids = sorted(values)
    columns = {
        "image_id": pa.array(ids, pa.string()),
        column: pa.array([values[i] for i in ids], kinds[column]),
    }
    write_table(path, pa.table(columns), {})


def _look_at_pictures(folder: Path, built: Built, workers: int) -> dict[str, Any]:
    """Write duplicates and thumbnails; return what the summary says of the former."""
    manifest = read_manifest(folder / "manifest.parquet")
    ids = manifest.image_ids
    with contextlib.closing(Images(manifest)) as images:
        prints = fingerprints(images, len(ids), workers=workers)
        strip = thumbnail_strip(images, ids)
    found, pairs = find_duplicates(prints, ids, manifest.splits, built.labels)
    write_table(folder / "duplicates.parquet", pairs, {})
    if strip is not None:
        write_bytes(folder / "thumbnails.jpg", strip)
    return found


def _summary(
    name: str,
    built: Built,
    digest: str,
    expected: Mapping[str, Any],
    duplicates: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what a build says of itself, beside its folder."""
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


OTHERS = ("captions_*.parquet", "folds.parquet", "objects.parquet")
"""What not every benchmark has."""
PARTS = (
    "manifest.parquet",
    "labels.parquet",
    "hidden.parquet",
    *OTHERS,
    "duplicates.parquet",
    "images.zip",
    "thumbnails.jpg",
    "README.md",
)  # what a build writes; an earlier build's of these names goes when the next is done


@contextlib.contextmanager
def staged(out: Path, moving: contextlib.ExitStack) -> Iterator[Path]:
    """Give a folder to fill, then move its files to ``out``.

    It lies beside ``out``, so that relative paths in its files hold for both. While
    they are moved, and until ``moving`` ends, no other build moves its own.
    """
    out = out.resolve()
    with private(out) as folder:
        try:
            yield folder
            moving.enter_context(alone(out.parent))
            out.mkdir(exist_ok=True)
            made = {path.name for path in folder.iterdir()}
            for path in [path for part in PARTS for path in out.glob(part)]:
                if path.name not in made:
                    path.unlink()
            for name in sorted(made):
                (folder / name).replace(out / name)
        except MmclustError as error:
            # To the reader it is the folder that was asked for.
            error.replace(str(folder), str(out))
            raise
        except OSError as error:
            raise MmclustError(
                "Cannot write the benchmark",
                where=out,
                found=error.strerror or error,
                do="free some space or choose a folder you may write to with --out",
            ) from error


SHOWN = 8  # classes that an error spells out


def _opened(
    name: str, params_block: Mapping[str, Any] | None
) -> tuple[ModuleType, Any, BuildOptions]:
    """Return a benchmark, its options, and those that every benchmark has."""
    options, own = build_options(name, dict(params_block or {}))
    found = instance_of("benchmarks", name, options, f"benchmarks.{name}")
    return found.module, found.options, own


def _compared(
    name: str,
    plugin: ModuleType,
    params: Any,
    split: str,
    raw: Path,
    built: Built,
    *,
    sample: bool,
    allow: bool,
) -> dict[str, Any]:
    """Hold a build to the published counts, or say why there are none."""
    why, wanted = "", None
    if not hasattr(plugin, "expected"):
        why = "the benchmark has no published counts"
    elif sample:
        why = "the source is the built-in sample"
    elif (wanted := plugin.expected(params, split)) is None:
        why = "split or options are not the protocol's"
    elif hasattr(plugin, "incomparable"):
        why = plugin.incomparable(raw, built)
    if wanted is None or why:
        return {"matches": None, "why": why}
    found = dict(per_class(built)) if wanted.keys() != {""} else {"": len(built.rows)}
    different = {
        key: {"expected": wanted.get(key, 0), "found": found.get(key, 0)}
        for key in sorted(wanted.keys() | found.keys())
        if wanted.get(key, 0) != found.get(key, 0)
    }
    if different and not allow:
        raise MmclustError(
            f"{name} does not come out as published",
            where=raw,
            expected=_sums(wanted),
            found=f"{_sums(found)}; different: {told(different)}",
            do="fetch the source again, or record the difference: --allow-different, "
            f"or benchmarks.{name}.allow_different: true in params.yaml",
        )
    verified = verified_by(raw, getattr(plugin, "SOURCES", ()))
    return {
        "matches": not different,
        "images": sum(wanted.values()),
        "classes": len(wanted.keys() - {""}),
        **({"verified": verified} if verified else {}),
        **({"different": different} if different else {}),
    }


def per_class(built: Built) -> Counter[str]:
    """Return how many images each class has, hidden ones included."""
    return Counter([*built.labels.values(), *built.hidden.values()])


def told(different: Mapping[str, Mapping[str, int]]) -> str:
    """Return differences in words, for instance ``kite 124 (not 125)``."""
    each = (
        f"{key or 'images'} {count['found']:,} (not {count['expected']:,})"
        for key, count in different.items()
    )
    return some(each, SHOWN)


def _sums(counts: Mapping[str, int]) -> str:
    n_classes = len(counts.keys() - {""})
    classes = f" in {n_classes:,} classes" if n_classes else ""
    return f"{sum(counts.values()):,} images{classes}"


def sources_of(name: str, params_block: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the sources that a benchmark reads with these options."""
    plugin, params, _ = _opened(name, params_block)
    if hasattr(plugin, "sources"):
        return tuple(plugin.sources(params))
    return tuple(getattr(plugin, "SOURCES", ())) or (plugin.SOURCE,)


def raw_of(name: str, params_block: Mapping[str, Any] | None) -> Path:
    """Return where the files lie that a benchmark of the pipeline is built from.

    That is its source's folder; of several sources the one that holds them; and of
    pictures of one's own what ``path`` says, or a folder of the benchmark's name.
    """
    plugin, params, _ = _opened(name, params_block)
    if hasattr(params, "path"):
        return Path(params.path or Path("data/raw") / name).expanduser()
    return Path("data/raw") / getattr(plugin, "SOURCE", "")


def lists_of(
    name: str, params_block: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Return the sources whose files say which pictures of other sources it takes."""
    return tuple(getattr(_opened(name, params_block)[0], "LISTS", ()))


def needed_pictures(
    name: str, raw: Path, params_block: Mapping[str, Any] | None
) -> list[str]:
    """Run a benchmark's protocol on everything but pictures."""
    plugin, params, _ = _opened(name, params_block)
    split = plugin.DEFAULT_SPLIT
    if not hasattr(plugin, "SOURCES"):
        raw = raw / plugin.SOURCE
    if hasattr(plugin, "pictures"):
        return list(plugin.pictures(raw, params, split=split))
    built: Built = plugin.build(raw, params, split=split, images=False)
    return [row.member for row in built.rows]


RULE = (
    "classes in order of size, equal ones in a seeded order; in each split the class "
    "at place i of C keeps n · ratio^(-i/(C-1)) images, n those of the split's largest "
    "class, at least 1 and at most all; which ones is drawn with the seed"
)


def thin(built: Built, imbalance: Imbalance) -> Built:
    """Thin classes to an exponential profile from the largest to the smallest.

    The order of the classes is that of their sizes in all splits together. Of one
    class, what a larger ratio keeps is part of what a smaller one keeps. Images without
    a class stay; hidden classes are thinned like the others. The rule, and the ratio
    that comes out, go into the notes.
    """
    classes = built.labels | built.hidden
    if not classes:
        raise MmclustError(
            "There are no classes to thin",
            where=f"imbalance: ratio {imbalance.ratio:g}",
            expected="a benchmark with classes",
            found=f"{len(built.rows):,} images without",
            do="leave imbalance out",
        )
    totals = Counter(classes.values())
    drawn = generator(imbalance.seed, "imbalance", "classes").permutation(len(totals))
    first = dict(zip(sorted(totals), drawn.tolist(), strict=True))
    order = sorted(totals, key=lambda name: (-totals[name], first[name]))
    places: dict[tuple[str, str], list[str]] = {}
    for row in built.rows:
        if row.image_id in classes:
            at = row.split, classes[row.image_id]
            places.setdefault(at, []).append(row.image_id)
    dropped: set[str] = set()
    for (split, name), ids in places.items():
        largest = max(len(own) for (of, _), own in places.items() if of == split)
        share = imbalance.ratio ** (-order.index(name) / max(len(order) - 1, 1))
        asked = max(round(largest * share), 1)
        ids.sort()
        rng = generator(imbalance.seed, "imbalance", split, name)
        dropped |= {ids[i] for i in rng.permutation(len(ids))[asked:]}
    sizes = Counter(name for i, name in classes.items() if i not in dropped)
    note = {
        "ratio": imbalance.ratio,
        "seed": imbalance.seed,
        "rule": RULE,
        "images_before": len(built.rows),
        "ratio_found": round(max(sizes.values()) / min(sizes.values()), 4),
    }
    return _without(built, dropped, built.notes | {"imbalance": note})


def _without(built: Built, dropped: set[str], notes: dict[str, Any]) -> Built:
    """Take images out of everything that a build has of them."""

    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        return {i: value for i, value in values.items() if i not in dropped}

    rows = [row for row in built.rows if row.image_id not in dropped]
    members = {row.member for row in rows}
    pictures = built.pictures
    if pictures is not None:
        pictures = (each for each in pictures if each[0] in members)
    return replace(
        built, rows=rows, labels=kept(built.labels), hidden=kept(built.hidden),
        folds=kept(built.folds), notes=notes, pictures=pictures,
        alternatives={kind: kept(each) for kind, each in built.alternatives.items()},
        objects=built.objects and _objects(built.objects, dropped),
    )  # fmt: skip


def _objects(objects: Objects, dropped: set[str]) -> Objects:
    at = [i for i, image_id in enumerate(objects.image_ids) if image_id not in dropped]
    lists: dict[str, Any] = {
        name: [getattr(objects, name)[i] for i in at]
        for name in ("image_ids", "names", "crowd", "masks")
        if len(getattr(objects, name))
    }
    boxes = np.asarray(objects.boxes)[at] if len(objects.boxes) else objects.boxes
    return replace(objects, boxes=boxes, **lists)

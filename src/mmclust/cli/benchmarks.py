"""Build a benchmark, and export a built one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmclust.cli._options import Settings, Workers
from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from mmclust.export.layouts import Points

REGISTRY = Path("data/sources.yaml")
SHOWN = 10
"""Classes whose counts are printed."""


def build(
    benchmark: Annotated[str, typer.Argument(help="For instance coco_cross.")],
    raw: Annotated[
        Path | None,
        typer.Option(help="The source's files; default data/raw/<source>."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write; default data/benchmarks/<benchmark>, which is the "
            "pipeline's; needed with --raw."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="A part as its publisher names it, such as train2017 or "
            "train2017+val2017; default: the protocol's."
        ),
    ] = None,
    min_images: Annotated[
        int | None,
        typer.Option(
            help="Images a class needs, where that is a rule; default: as params or "
            "protocol have it."
        ),
    ] = None,
    options: Settings = None,
    annotations_only: Annotated[
        bool, typer.Option("--annotations-only", help="Do not look for image files.")
    ] = False,
    allow_different: Annotated[
        bool,
        typer.Option(
            "--allow-different",
            help="Record counts that are not the published ones instead of failing.",
        ),
    ] = False,
    workers: Workers = 0,
) -> None:
    """Build a benchmark: manifest, labels, summary, duplicates and data card.

    Options come from params.yaml, unless --raw or --out is given: then the
    protocol's own values hold and params.yaml is not read. --set and --min-images
    go before either.
    """
    from mmclust.benchmarks._build import build_benchmark, raw_of
    from mmclust.core.params import Params, read_params

    by_hand = raw is not None or out is not None
    params = Params() if by_hand else read_params()
    block = params.benchmarks.get(benchmark) or {}
    given = _given(benchmark, block, options or [], min_images)
    own = Path("data/benchmarks") / benchmark
    if raw is not None and out is None:
        raise MmclustError(
            "--raw needs --out",
            where="--out",
            expected="a folder for the benchmark",
            found="nothing; without --raw that would be the pipeline's own folder, "
            f"{own}",
            do=f"say where to write, for instance --out {benchmark}",
        )
    out = out or own
    summary = build_benchmark(
        benchmark,
        raw or raw_of(benchmark, {**block, **given}),
        out,
        {**block, **given},
        split=split,
        images=not annotations_only,
        allow_different=allow_different,
        registry=REGISTRY if REGISTRY.is_file() else None,
        workers=workers,
    )
    _tell(summary, out)
    if not by_hand and (given or split or annotations_only or allow_different):
        typer.echo("  with options of this command: `dvc repro` builds it without them")


def _given(
    benchmark: str, block: dict[str, Any], options: list[str], min_images: int | None
) -> dict[str, Any]:
    """Return the options of the command line, each checked by itself."""
    from dataclasses import fields

    from mmclust.core.plugins import IS, instance_of, parse_options

    given = parse_options(options)
    whole = {IS: block[IS], **given} if IS in block else given
    found = instance_of("benchmarks", benchmark, whole, "", "--set")
    known = [f.name for f in fields(found.options)]
    if min_images is not None and "min_images" not in known:
        raise MmclustError(
            f"{benchmark} has no threshold",
            where="--min-images",
            expected=f"an option of {benchmark}: {', '.join(known) or 'it has none'}",
            found=f"--min-images {min_images}",
            do="leave --min-images out",
        )
    return given if min_images is None else given | {"min_images": min_images}


def _tell(summary: dict[str, Any], out: Path) -> None:
    typer.echo(
        f"{summary['benchmark']}: {summary['images']:,} images, "
        f"{summary['n_classes']} classes, {summary['captions']:,} captions"
    )
    shown = list(summary["per_class"].items())[:SHOWN]
    rest = summary["n_classes"] - len(shown)
    histogram = ", ".join(f"{name} {count:,}" for name, count in shown)
    lines = [histogram + (f" and {rest} more" if rest else "")] if shown else []
    lines += summary.get("notes", {}).get("told", ())
    found = summary.get("duplicates", {})
    for kind in ("exact", "near"):
        if found and (pairs := found[kind]["pairs"]):
            across = f"{found[kind]['across_splits']:,} of them across splits"
            lines.append(f"{kind} duplicates: {pairs:,} pairs, {across}")
    if found and (bad := found["not_decoded"])["images"]:
        lines.append(f"no readable picture: {bad['images']:,} ({some(bad['first'])})")
    for line in (*lines, _verdict(summary["expected"]), f"written to {out}"):
        typer.echo(f"  {line}")


def _verdict(expected: dict[str, Any]) -> str:
    from mmclust.benchmarks._build import told

    if expected["matches"] is None:
        return f"counts not compared: {expected['why']}"
    if not expected["matches"]:
        return f"NOT as published, allowed: {told(expected['different'])}"
    n_classes = expected["classes"]
    classes = f", {n_classes} classes" if n_classes else ""
    return f"as published ({expected['images']:,} images{classes})"


def export(
    benchmark: Annotated[
        str,
        typer.Argument(help="A benchmark that has been built, or the folder of one."),
    ],
    layout: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="raw|csv|mat|hf|map",
            help="raw: images/<class>/ and texts/<class>/. csv: ids, labels and "
            "captions; with --features, a file for each view and split. mat: X1, X2, "
            "Y and label_mapping (MATLAB v5). hf: a folder that Hugging Face "
            "datasets reads, as images or as parquet. map: a parquet with places in "
            "the plane, clusters and classes, for Embedding Atlas or FiftyOne.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    features: Annotated[
        list[str] | None,
        typer.Option(
            help="An encoder that has run, or the folder of its features; for mat, "
            "give it twice to take images from one and texts from another; default "
            "for mat: a file for each encoder of both that has run."
        ),
    ] = None,
    clusters: Annotated[
        Path | None,
        typer.Option(
            help="clusters.csv of `mmclust folder`, or a file in data/clusters: "
            "clusters take the place of classes, so that raw sorts pictures into a "
            "folder for each. Without: classes."
        ),
    ] = None,
    benchmark_dir: Annotated[
        Path | None,
        typer.Option(help="Where it was built; default data/benchmarks/<benchmark>."),
    ] = None,
    view: Annotated[
        str | None,
        typer.Option(help="For map: which view is laid out; default: the clusters'."),
    ] = None,
) -> None:
    """Write a benchmark's images, captions or features in another layout.

    Images are copies of the publisher's files, or hard links to them where they lie
    unpacked on the same file system. Classes that are not given out stay so. Nothing
    that is there already is overwritten.
    """
    from mmclust.core.manifest import read_manifest
    from mmclust.export.stage import export_benchmark, of_both_views

    if benchmark_dir is None and (Path(benchmark) / "manifest.parquet").is_file():
        benchmark_dir = Path(benchmark)
        benchmark = read_manifest(benchmark_dir / "manifest.parquet").benchmark
    folder = benchmark_dir or Path("data/benchmarks") / benchmark
    encoded = Path("data/features") / benchmark
    named = {
        Path(name).name: Path(name) if "/" in name else encoded / name
        for name in features or []
    }
    each = [named]
    if layout == "mat" and not named:
        each = [{path.name: path} for path in of_both_views(encoded)] or each
    sorted_into = None
    if clusters is not None:
        from mmclust.cli._clusters import cluster_names

        sorted_into = cluster_names(clusters)
    if view is not None and layout != "map":
        raise typer.BadParameter("--view goes with --as map")
    points = _points(benchmark, view) if layout == "map" and not named else None
    for chosen in each:
        for done in export_benchmark(
            benchmark, folder, layout, out, chosen, points, sorted_into
        ):
            state = "written to" if done.written else "already there, the same:"
            typer.echo(f"{benchmark}: {done.images:,} images {state} {done.target}")
            for line in done.told:
                typer.echo(f"  {line}")


def _points(benchmark: str, view: str | None) -> Points:
    """Lay out the scored images as the page does, with the clusters it shows first."""
    from mmclust.core.features import views_of
    from mmclust.core.params import read_params
    from mmclust.export.layouts import Points
    from mmclust.report.maps import lay_out_view
    from mmclust.report.read import read_run

    run = read_run(Path(), benchmark, read_params())
    method, known = run.primary, views_of(run.features)
    if view is None:
        view = method.key[1] if method.key[1] in known else known[0]
    if view not in known:
        raise typer.BadParameter(f"--view is {' or '.join(known)}")
    places = lay_out_view(run, view)
    return Points(run.manifest.image_ids, places, method.clusters, method.confidence)

"""One's own pictures in one command: clusters, their names, a CSV file and a page."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmclust.cli._options import Device, Seed, Settings, Workers
from mmclust.cli._show import clustering_table

if TYPE_CHECKING:
    from mmclust.cli._folder import Coder

VOCABULARY = Path("data/vocabulary/WordNetNouns.csv")


def folder(
    path: Annotated[Path, typer.Argument(help="The folder of pictures.")],
    captions: Annotated[
        str | None,
        typer.Option(
            help="A table of captions, or the column that holds them; default: what "
            "lies in the folder, such as captions.txt or metadata.csv.",
            metavar="FILE|COLUMN",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="folders, a table with a column label, or none; default: the "
            "column, or folders that look like classes.",
            metavar="folders|FILE|none",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="clip, efficientnet, hog, …; clip=MODEL for another checkpoint; "
            "default: the best whose weights are here."
        ),
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option(help="Of captions: minilm, sbert=MODEL, lsa, …"),
    ] = None,
    k: Annotated[
        str | None,
        typer.Option(
            help="Clusters, or auto; default: as many as classes, else auto.",
            metavar="N|auto",
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(help="A clusterer, or a head such as tac.")
    ] = "kmeans",
    vocabulary: Annotated[
        Path | None,
        typer.Option(help="Words that may name clusters: .txt, or .csv with word."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where to write; default: NAME-clusters.")
    ] = None,
    settings: Settings = None,
    seed: Seed = 782,
    device: Device = "cpu",
    workers: Workers = 0,
) -> None:
    """Cluster a folder of pictures: a CSV file, and a page to look at.

    mmclust folder holiday

    mmclust folder flickr8k --k 20 --out clusters

    Needs neither a clone nor params.yaml, and downloads nothing. Writes clusters.csv
    (file, cluster, name, closeness) and page/index.html; what it computes stays in
    run/, so that the same command with another --k takes seconds. Where there are
    captions, they are clustered as well, alone and with the pictures. Classes are read
    by the scores alone, and for the number of clusters where --k does not say it.
    """
    from mmclust.cli import _folder
    from mmclust.core.instances import parse_options

    number = _number(k)
    pictures, out = _places(path, out)
    tables = [_table(captions), _table(labels)]
    vocabulary = vocabulary or (VOCABULARY if VOCABULARY.is_file() else None)
    vocabulary = vocabulary and vocabulary.expanduser().resolve()
    work = out / "run"
    work.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(work):
        name = _folder.named_after(pictures)
        run = _folder.Run(seed, device, workers)
        summary = _folder.build(name, pictures, *tables, workers=workers)
        _tell_built(summary, pictures)
        image = _folder.image_coder(encoder)
        text = _folder.text_coder(text_encoder, image) if summary["captions"] else None
        _tell_coders(image, text)
        coded = _folder.encode(name, image, text, run)
        labelled = summary["n_classes"] > 1
        params = _folder.params_for(
            name, coded, method, number or (None if labelled else "auto"), seed,
            labelled=labelled, vocabulary=vocabulary,
            options=parse_options(settings or []),
        )  # fmt: skip
        record = _folder.cluster(params, device=device, workers=workers)
        facts = {"image": image.name, "folder": str(pictures)}
        sizes = _folder.write_clusters(pictures, params, out / "clusters.csv", facts)
        page = out / "page/index.html"
        from mmclust.report.page import make_report

        make_report(Path(), params, page, workers=workers, kept=Path("data/maps"))
    if record:
        clustering_table(pictures.name, record)
    _tell_names(shared=_folder.shares_space(params), captioned=bool(text),
                vocabulary=vocabulary)  # fmt: skip
    for line in [] if encoder else _folder.better(image):
        typer.echo(line, err=True)
    typer.echo(f"{sum(sizes):,} pictures in {len(sizes)} clusters of {min(sizes)} to "
               f"{max(sizes)}; wrote {out / 'clusters.csv'} and {page}")  # fmt: skip


def _number(k: str | None) -> int | str | None:
    if k is None or k == "auto":
        return k
    if not k.isdecimal() or int(k) < 2:  # noqa: PLR2004
        raise typer.BadParameter(f"--k is a number from 2, or auto, not {k!r}")
    return int(k)


def _places(path: Path, out: Path | None) -> tuple[Path, Path]:
    """Return the folder and where to write, which is not inside it."""
    from mmclust.core.errors import MmclustError

    pictures = path.expanduser().resolve()
    if not pictures.is_dir():
        raise MmclustError(
            "There is no such folder",
            where=path,
            expected="a folder of pictures",
            found="a file" if pictures.is_file() else "nothing",
            do="give the folder that holds the pictures",
        )
    if out is None:
        here = Path.cwd()
        beside = pictures.parent if here.is_relative_to(pictures) else here
        out = beside / f"{pictures.name}-clusters"
    out = out.expanduser().resolve()
    if out.is_relative_to(pictures):
        raise MmclustError(
            "Results inside the folder would be taken for pictures of it",
            where="--out",
            expected="a folder elsewhere",
            found=out,
            do=f"leave --out away, or say --out {pictures}-clusters",
        )
    return pictures, out


def _table(given: str | None) -> str | None:
    """Return the full path of a file; other text as it is."""
    if given is None:
        return None
    path = Path(given).expanduser()
    if not path.is_file() and (path.suffix or "/" in given):
        from mmclust.core.io import require_file

        require_file(path, "give the path of a table, or the name of a column")
    return str(path.resolve()) if path.is_file() else given


def _tell_built(summary: dict[str, Any], pictures: Path) -> None:
    classes, n_captions = summary["n_classes"], summary["captions"]
    parts = [f"{summary['images']:,} pictures"]
    parts += [f"{classes} classes (for the scores)"] if classes > 1 else []
    parts += [f"{n_captions:,} captions" if n_captions else "no captions"]
    typer.echo(f"{pictures.name}: {', '.join(parts)}", err=True)
    for line in summary.get("notes", {}).get("told", ()):
        typer.echo(f"  {line}", err=True)


def _tell_coders(image: Coder, text: Coder | None) -> None:
    for what, coder in (("pictures", image), ("captions", text)):
        if coder is not None:
            about = f" ({coder.about})" if coder.about else ""
            typer.echo(f"  {what} by {coder.name}{about}", err=True)


def _tell_names(*, shared: bool, captioned: bool, vocabulary: Path | None) -> None:
    if shared and vocabulary:
        said = f"nouns of {vocabulary.name}"
    elif captioned:
        said = "keywords of their captions"
    elif shared:
        said = "nothing: give words with --vocabulary"
    else:
        said = "nothing: there are no captions, and the encoder knows no words"
    typer.echo(f"clusters are named by {said}", err=True)

"""One's own pictures in one command: clusters, their names, a CSV file and a page."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmclust.cli._options import Device, Seed, Settings, Workers
from mmclust.cli._show import clustering_table, tell_left_out
from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from mmclust.cli._folder import Asked, Coder

VOCABULARY = Path("data/vocabulary/WordNetNouns.csv")
ENCODER = "encoder."
"""Before options of the pictures' encoder, among those of the method."""
AUTO = 4
"""Pictures of which a number of clusters can be found: half of them, at least 2."""


Captions = Annotated[
    str | None,
    typer.Option(
        help="A table of captions, or the column that holds them; default: what "
        "lies in the folder, such as captions.txt or metadata.csv.",
        metavar="FILE|COLUMN",
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="folders, a table with a column label, or none; default: the "
        "column, or folders that look like classes.",
        metavar="folders|FILE|none",
    ),
]


def folder(
    path: Annotated[Path, typer.Argument(help="The folder of pictures.")],
    captions: Captions = None,
    labels: Labels = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="clip, efficientnet, hog, …; clip=MODEL for another checkpoint; "
            "default: the best whose weights are here."
        ),
    ] = None,
    text_encoder: Annotated[
        str | None,
        typer.Option(
            help="Of captions: minilm, lsa, sbert=MODEL, …; default: --encoder if it "
            "reads text, else the best whose weights are here."
        ),
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
        typer.Option(
            help="Words that may name clusters: .txt, or .csv with a column word; "
            "default: the pipeline's list, where there is one."
        ),
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

    --set key=value sets an option of the method, --set encoder.key=value one of the
    pictures' encoder: encoder.short_side=336 and encoder.crop=336 for a checkpoint of
    that size.
    """
    from mmclust.cli import _folder
    from mmclust.core.plugins import parse_options

    number = _number(k)
    pictures, out = _places(path, out)
    options = parse_options(settings or [])
    own = {name.removeprefix(ENCODER): options.pop(name)
           for name in list(options) if name.startswith(ENCODER)}  # fmt: skip
    asked = _folder.Asked(
        pictures,
        captions=_table(captions),
        labels=_table(labels, ("folders", "none")),
        image=_folder.image_coder(_coder(encoder), own),
        text=_coder(text_encoder),
        k=number,
        method=method,
        options=options,
        vocabulary=_words(vocabulary),
        seed=seed,
        device=device,
        workers=workers,
    )
    _folder.require_method(asked)
    work = _made(out / "run")
    with contextlib.chdir(work):
        found = _cluster(asked, out)
    for line in [] if encoder else _folder.better(asked.image):
        typer.echo(line, err=True)
    typer.echo(found)


def _cluster(asked: Asked, out: Path) -> str:
    """Build, encode, cluster and show; return what was found."""
    from mmclust.cli import _folder
    from mmclust.report.page import make_report

    name = _folder.named_after(asked.pictures)
    summary = _folder.build(name, asked)
    _tell_built(summary, asked.pictures)
    labelled = summary["n_classes"] > 1
    k = asked.k or (None if labelled else "auto")
    _require_enough(summary["images"], k)
    text = _folder.text_coder(asked.text, asked.image) if summary["captions"] else None
    _tell_coders(asked.image, text)
    coded = _folder.encode(name, asked, text)
    tell_left_out(Path("data/features") / name / coded[0])
    params = _folder.params_for(name, coded, asked, k, labelled=labelled)
    record = _folder.cluster(params, asked)
    clusters, page = out / "clusters.csv", out / "page/index.html"
    sizes, noise = _folder.write_clusters(asked, params, clusters)
    make_report(Path(), params, page, workers=asked.workers, kept=Path("data/maps"))
    if record:
        clustering_table(asked.pictures.name, record)
    shared = _folder.shares_space(params.instance("encoders", coded[0]))
    _tell_names(shared=shared, captioned=bool(text), vocabulary=asked.vocabulary)
    fewer = isinstance(k, int) and k > len(sizes) and not noise
    few = f", where {k} were asked for" if fewer else ""
    few += f", {noise:,} in none (-1)" if noise else ""
    return (
        f"{counted(sum(sizes), 'picture')} in {counted(len(sizes), 'cluster')} of "
        f"{min(sizes, default=0)} to {max(sizes, default=0)}{few}; wrote {clusters} "
        f"and {page}"
    )


def counted(number: int, what: str) -> str:
    """Return a number with its noun: ``1 picture``, ``2 pictures``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _number(k: str | None) -> int | str | None:
    if k is None or k == "auto":
        return k
    if not k.isdecimal() or int(k) < 2:  # noqa: PLR2004
        raise typer.BadParameter(f"--k is a number from 2, or auto, not {k!r}")
    return int(k)


def _require_enough(n_pictures: int, k: int | str | None) -> None:
    """Refuse, before anything is encoded, what cannot be clustered."""
    least = AUTO if k == "auto" else k if isinstance(k, int) else 2
    if n_pictures >= least:
        return
    raise MmclustError(
        "There are too few pictures",
        where="--k auto, the default where there are no classes"
        if k == "auto"
        else f"--k {k}",
        expected=f"at least {counted(least, 'picture')}",
        found=n_pictures,
        do="add pictures"
        if n_pictures < 2  # noqa: PLR2004
        else f"say --k {n_pictures} or fewer, or add pictures",
    )


def _places(path: Path, out: Path | None) -> tuple[Path, Path]:
    """Return the folder and where to write, which is not inside it."""
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
    if (out / "clusters.csv").exists() and not (out / "run").is_dir():
        raise MmclustError(
            "There is a clusters.csv that this command did not write",
            where=out / "clusters.csv",
            expected="a new folder, or one of `mmclust folder`",
            do="give another --out, or move the file",
        )
    return pictures, out


def _made(folder: Path) -> Path:
    """Make a folder that can be written to, or say why not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        why = "" if os.access(folder, os.W_OK) else "it is read-only"
    except OSError as error:
        why = str(error.strerror)
    if why:
        raise MmclustError(
            "Results cannot be written there",
            where=folder,
            expected="a folder that can be made and written to",
            found=why,
            do="give a place of your own: --out FOLDER",
        )
    return folder


def _words(path: Path | None) -> Path | None:
    """Return the list of words, if one is given or lies where the pipeline has it."""
    from mmclust.core.io import require_file

    if path is None:
        return VOCABULARY.resolve() if VOCABULARY.is_file() else None
    do = "give a list of words: .txt, one a line, or .csv with a column word"
    return require_file(path.expanduser(), do).resolve()


def _coder(asked: str | None) -> str | None:
    """Return NAME=MODEL with the full path of a MODEL that lies here."""
    name, _, model = (asked or "").partition("=")
    path = Path(model).expanduser()
    if model.startswith((".", "/", "~")) and not path.is_dir():
        raise MmclustError(
            "There is no such checkpoint",
            where=f"{name}={model}",
            expected="a folder as save_pretrained writes it, or a name on the hub",
            found="no such folder",
            do="correct the path",
        )
    return f"{name}={path.resolve()}" if model and path.is_dir() else asked


def _table(given: str | None, words: tuple[str, ...] = ()) -> str | None:
    """Return the full path of a file; one of the words, or else a column, as it is."""
    from mmclust.core.io import require_file

    if given is None or given in words:
        return given
    path = Path(given).expanduser()
    if not path.is_file() and not words and not path.suffix and "/" not in given:
        return given
    other = f"say {' or '.join(words)}" if words else "the name of a column"
    return str(require_file(path, f"give the path of a table, or {other}").resolve())


def _tell_built(summary: dict[str, Any], pictures: Path) -> None:
    from mmclust.benchmarks.folder import TABLES

    classes, n_captions = summary["n_classes"], summary["captions"]
    parts = [counted(summary["images"], "picture")]
    parts += [f"{classes} classes (for the scores)"] if classes > 1 else []
    parts += [f"{n_captions:,} captions" if n_captions else "no captions"]
    lines = [f"{pictures.name}: {', '.join(parts)}"]
    lines += [f"  {line}" for line in summary["notes"]["told"]]
    if TABLES & summary["notes"]["left_out"].keys():
        lines += ["  a table is read if given: --captions FILE, --labels FILE"]
    typer.echo("\n".join(lines), err=True)


def _tell_coders(image: Coder, text: Coder | None) -> None:
    for what, coder in (("pictures", image), ("captions", text)):
        if coder is not None:
            about = f" ({coder.about})" if coder.about else ""
            typer.echo(f"  {what} by {coder.name}{about}", err=True)


def _tell_names(*, shared: bool, captioned: bool, vocabulary: Path | None) -> None:
    if vocabulary and not shared:
        unread = f"words of {vocabulary.name} are NOT used: the encoder knows no words"
        typer.echo(unread, err=True)
    if shared and vocabulary:
        said = f"nouns of {vocabulary.name}"
    elif captioned:
        said = "keywords of their captions"
    elif shared:
        said = "nothing: give words with --vocabulary"
    else:
        said = "nothing: there are no captions, and the encoder knows no words"
    typer.echo(f"clusters are named by {said}", err=True)

"""Methods on files of one's own: `fit` and `assign`, which need no params.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmclust.cli._options import Device, Ids, Seed, Settings
from mmclust.cli._show import tell_sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

ZERO_SHOT = "zero_shot"


def _of_some(text: str, *names: str) -> Any:
    """Return an option that only some methods take."""
    return typer.Option(*names, help=text, rich_help_panel="Of some methods")


Features = Annotated[
    list[Path] | None,
    typer.Option(
        "--features",
        help="An .npy array, one row per image; repeated for a method that reads "
        "several encoders (turtle). Without: --text-features alone.",
    ),
]
TextFeatures = Annotated[
    Path | None,
    typer.Option(
        help="An .npy array, rows in the same order: texts, or each image's text "
        "counterpart; for zero_shot the embedding of each class name. "
        "Without: --features alone."
    ),
]
Clusters = Annotated[
    str | None,
    typer.Option(
        help="Clusters; auto, for clusterers: largest mean silhouette. Default: "
        "the method's own, where it has one.",
        metavar="N|auto",
    ),
]
_TEST = "Images to assign; without, those fitted on."
_SAVE = "Folder for a trained head, for `mmclust assign`; without, it is not kept."
_NOUNS_FEATURES = (
    "An .npy array, one row per word: heads choose nouns, and make the text "
    "counterparts themselves; in place of --text-features."
)
_WORDS = (
    "Their words, with --nouns-features: .txt, one a line, or .csv with a column word."
)
_NOUNS = "Folder for the chosen nouns and counterparts, with --nouns-features."
_PANELS = "Figure of a trained tac or dxmc, .png or .svg; with --save."
_CLASSES = "zero_shot: the class names, one per line."


def fit(
    method: Annotated[
        str, typer.Argument(help="A clusterer or a head, such as kmeans or tac.")
    ],
    out: Annotated[
        Path,
        typer.Option(help="The CSV to write, with image_id, cluster [and confidence]."),
    ],
    features: Features = None,
    text_features: TextFeatures = None,
    k: Clusters = None,
    ids: Ids = None,
    settings: Settings = None,
    seed: Seed = 0,
    device: Device = "cpu",
    test: Annotated[list[Path] | None, _of_some(_TEST, "--test-features")] = None,
    save: Annotated[Path | None, _of_some(_SAVE)] = None,
    nouns_features: Annotated[list[Path] | None, _of_some(_NOUNS_FEATURES)] = None,
    words: Annotated[Path | None, _of_some(_WORDS)] = None,
    nouns: Annotated[Path | None, _of_some(_NOUNS)] = None,
    panels: Annotated[Path | None, _of_some(_PANELS)] = None,
    class_names: Annotated[Path | None, _of_some(_CLASSES, "--names")] = None,
) -> None:
    """Cluster features of your own by any clusterer or head.

    mmclust fit kmeans --features x.npy --k 10 --out clusters.csv

    mmclust fit tac --features x.npy --nouns-features t.npy --words words.txt
    --k 10 --out clusters.csv --save trained

    Clusterers: kmeans, minibatch_kmeans, gaussian_mixture, agglomerative (Ward),
    average_linkage, spectral, dbscan, hdbscan (these two find k themselves; -1 is
    noise), random; with --text-features also concat_kmeans (as in TAC) and
    coregularized_spectral: the others scale each kind to unit norm and join them.

    Heads: tac, dxmc, image_kmeans, counterpart_kmeans and others of docs/heads.md.
    They read text counterparts, or nouns to make them of. The name concat_kmeans is a
    head's where --nouns-features are given. UCF101 and ImageNet as published: --set
    epochs=100 --set batch=8192 --set temperature=5.

    --set key=value sets an option of the method, --set nouns.key=value one of the
    choice of nouns. zero_shot is told the classes' names: a reference, no clustering.
    """
    from mmclust.core.errors import MmclustError, nearest
    from mmclust.core.plugins import known, parse_options

    methods = {ZERO_SHOT, *known("clusterers"), *known("heads")}
    if method not in methods:
        raise MmclustError(
            f"Unknown method {method!r}",
            where="METHOD",
            expected=nearest(method, methods),
            found=method,
            do="correct the name",
        )
    image = features or []
    options = parse_options(settings or [])
    if method == ZERO_SHOT:
        _zero_shot(image, text_features, class_names, out, ids)
        return
    if class_names is not None:
        raise typer.BadParameter("--names goes with zero_shot")
    of_heads = any((test, save, nouns_features, words, nouns, panels))
    if method not in known("heads") or (method in known("clusterers") and not of_heads):
        if of_heads or any(name.startswith("nouns.") for name in options):
            raise typer.BadParameter(f"{method} is no head: it takes no such option")
        _cluster(method, image, text_features, k, ids, seed, out, settings or [])
        return
    if k is None or not k.isdecimal():
        raise typer.BadParameter("heads need --k, a number")
    if panels is not None and save is None:
        raise typer.BadParameter("--panels shows what --save keeps: give both")
    _head(
        method, image, text_features, out, int(k), options, words, nouns, panels,
        embedded=nouns_features or (), ids=ids, seed=seed, device=device, save=save,
        test_image_features=test or (),
    )  # fmt: skip


def _cluster(
    method: str, features: list[Path], text: Path | None, k: str | None,
    ids: Path | None, seed: int, out: Path, settings: list[str],
) -> None:  # fmt: skip
    from mmclust.clusterers._files import cluster_files

    if len(features) > 1 or not (features or text):
        raise typer.BadParameter(
            f"{method} reads one array of --features, or --text-features, or both"
        )
    if k not in (None, "auto") and not k.isdecimal():
        raise typer.BadParameter(f"--k is a number or auto, not {k!r}")
    number = int(k) if k is not None and k != "auto" else k
    image = features[0] if features else None
    done = cluster_files(
        method, image, text, k=number, ids=ids, seed=seed, out=out, options=settings
    )
    if done.choice is not None:
        for tried, score in done.choice.curve:
            mark = "  <- chosen" if tried == done.choice.k else ""
            typer.echo(f"k = {tried:<4} silhouette {score:.4f}{mark}")
        if done.choice.at_edge:
            typer.echo("k is the first or the last that was tried: doubt it")
    tell_sizes(done.sizes, out, done.noise)


def _head(
    method: str, features: list[Path], text: Path | None, out: Path, k: int,
    options: dict[str, Any], words: Path | None, nouns: Path | None,
    panels: Path | None, *, embedded: Sequence[Path], save: Path | None, **run: Any,
) -> None:  # fmt: skip
    """Run a head, on counterparts of nouns that are chosen here if it reads some."""
    from mmclust.core.params import NounsParams
    from mmclust.core.plugins import instance_of, refuse_options
    from mmclust.core.yaml_file import convert
    from mmclust.heads._files import head_on_files
    from mmclust.heads._nouns import nouns_of_files
    from mmclust.heads._panels import draw_panels, require_drawable
    from mmclust.heads._rows import read_rows

    if panels is not None and save is not None:
        require_drawable({"head": method}, save, panels)
    reads = instance_of("heads", method, {}, method).module.READS
    chosen = {name.removeprefix("nouns."): options.pop(name)
              for name in list(options) if name.startswith("nouns.")}  # fmt: skip
    if "nouns" not in reads and ("text" not in reads or text is not None):
        why = "is given its text counterparts" if "text" in reads else "reads no nouns"
        if embedded or words or nouns or chosen:
            raise typer.BadParameter(
                f"{method} {why}: leave out --nouns-features, --words, --nouns and "
                "--set nouns.*"
            )
    if "text" in reads and embedded and words is not None and text is None:
        if len(embedded) != 1 or not features or nouns is None:
            raise typer.BadParameter(
                "give one --nouns-features, --features, and --nouns, the folder for "
                "them"
            )
        embedding = ("vocabulary", "templates", "prompt_normalisation", "underscores")
        refuse_options(chosen, embedding, "the nouns are embedded already")
        facts = nouns_of_files(
            features[0], embedded[0], words, nouns, k=k, seed=run["seed"],
            params=convert(chosen, NounsParams, "nouns", "--set"), device=run["device"],
        )  # fmt: skip
        tell_nouns(facts, nouns)
        text = nouns / "counterparts.npy"
    if "nouns" in reads:
        params = convert(chosen, NounsParams, "nouns", "--set")
        run |= {"nouns_features": embedded, "words": words, "nouns": params}
    sizes = head_on_files(
        method, features, text, k=k, out=out, options=options, save=save, **run
    )
    tell_sizes(sizes, out)
    if panels is not None and save is not None:
        image = read_rows(features[0])
        counterparts = None if text is None else read_rows(text, len(image))
        shown = draw_panels(save, image, counterparts, panels)
        typer.echo(f"{shown} images; wrote {panels}")


def tell_nouns(facts: dict[str, Any], out: Path) -> None:
    """Say which nouns were chosen, and what was left out."""
    if not facts["nouns"]:
        typer.echo("no head asks for nouns, and model.encoder embeds no words or "
                   f"there are none; wrote {out}")  # fmt: skip
        return
    vocabulary = facts["vocabulary"]
    typer.echo(
        f"{facts['nouns']} nouns ({facts['distinct_nouns']} distinct) for "
        f"{facts['centres']} centres of {facts['images']} images, out of "
        f"{vocabulary['rows']:,} ({vocabulary['distinct']:,} distinct)"
    )
    for what, count in (
        ("no image", facts["centres_without_images"]),
        ("no noun", facts["centres_without_nouns"]),
    ):
        if count:
            typer.echo(f"{count} centres have {what} and were left out")
    for what, count in (
        ("prompts are longer than the encoder reads, and were cut", "prompts_cut"),
        ("images have no features and are left out", "skipped"),
    ):
        if facts.get(count):
            typer.echo(f"{facts[count]:,} {what}", err=True)
    typer.echo(f"wrote {out}")


def _zero_shot(
    features: list[Path], name_features: Path | None, class_names: Path | None,
    out: Path, ids: Path | None,
) -> None:  # fmt: skip
    from mmclust.heads._files import zero_shot

    if len(features) != 1 or class_names is None or name_features is None:
        raise typer.BadParameter(
            "zero_shot needs --features, --text-features and --names, one name per line"
        )
    sizes = zero_shot(features[0], name_features, class_names, out=out, ids=ids)
    typer.echo("zero_shot uses the classes' names: a reference, not a rival")
    tell_sizes(sizes, out)


def assign(
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Image files; without: --features.", metavar="IMAGES"),
    ] = None,
    head: Annotated[
        Path | None,
        typer.Option(
            help="A trained head: what --save wrote, or one in data/heads. Without: "
            "--clusters."
        ),
    ] = None,
    clusters: Annotated[
        Path | None,
        typer.Option(
            help="In its place: clusters.csv of `mmclust folder`, or a file in "
            "data/clusters. Without: --head."
        ),
    ] = None,
    features: Annotated[
        list[Path] | None,
        typer.Option(
            "--features",
            help="An .npy array in place of pictures, one row per image; for a head "
            "of several encoders once for each.",
        ),
    ] = None,
    run: Annotated[
        int, typer.Option("--run", "--seed", min=0, help="Which of the trained heads.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(help="A CSV to write; without, it is printed.")
    ] = None,
    device: Device = "cpu",
) -> None:
    """Say which cluster new pictures belong to, how surely, and what it shows.

    mmclust assign new/*.jpg --clusters holiday-clusters/clusters.csv

    mmclust assign holiday/*.jpg --head data/heads/coco_cross/tac

    A head brings the encoder that it was trained with, clusters the one whose features
    they are made of: a picture belongs to the cluster whose pictures' mean is nearest,
    and the number is its cosine with that.
    """
    from mmclust.heads._files import assign_images, write_assignments

    if bool(images) == bool(features) or (head is None) == (clusters is None):
        raise typer.BadParameter(
            "give IMAGES or --features, and --head or --clusters: one of each"
        )
    if head is not None:
        found, names = assign_images(
            images or [], head, seed=run, features=features or (), device=device
        )
        labels, sure = found.labels, found.confidence
    else:
        from mmclust.cli._clusters import nearest_clusters

        assert clusters is not None
        labels, sure, names = nearest_clusters(
            images or [], clusters, features or [], device=device
        )
    ids = [str(path) for path in images or range(len(labels))]
    if out is not None:
        write_assignments(out, ids, labels, sure, names)
        typer.echo(f"{len(ids)} images; wrote {out}")
        return
    for image_id, label, share in zip(ids, labels.tolist(), sure.tolist(), strict=True):
        words = f"  {', '.join(names[label])}" if names and names[label] else ""
        typer.echo(f"{image_id}  {label}  {share:.3f}{words}")

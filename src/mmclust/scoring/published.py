"""Published numbers beside ours, and where the set-ups are not the same."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.io import require_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mmclust.core.params import Params
    from mmclust.scoring.record import Record, Score

HEAD = ("table", "dataset", "method", "metric", "value", "spread", "source", "status",
        "setup")  # fmt: skip

ANY = "*"
Place = tuple[str, str, str]
"""Encoder, view and method: of clusterers the encoder is ``model.encoder`` where none
is named; a head has one encoder and one view, whichever they are (:data:`ANY`)."""


def _head(name: str) -> Place:
    return ANY, ANY, name


_IMAGE_KMEANS = (_head("image_kmeans"), ("", "image", "kmeans"))
OURS: dict[str, tuple[Place, ...]] = {
    "CLIP (k-means)": _IMAGE_KMEANS,
    "CLIP image embedding, k-means": _IMAGE_KMEANS,
    "TAC (no train, concat k-means)": (_head("concat_kmeans"),),
    "concatenation, no training": (_head("concat_kmeans"),),
    "TAC": (_head("tac"),),
    "TAC, both": (_head("tac"),),
    "TAC (as listed by DXMC)": (_head("tac"),),
    "DXMC": (_head("dxmc"),),
    "TURTLE": (_head("turtle"),),
    "GradNorm (as listed by a third party)": (_head("gradnorm"),),
    "SIC": (_head("sic"),),
    "TEMI": (_head("temi"),),
    "CPP": (_head("cpp"),),
    "spectral clustering with vision-language representations (ICLR 2026)": (
        _head("ntk_sc"),
    ),
    "DXMC image cluster head": (_head("dxmc"),),
    "multi-view clustering model": (
        ("", "both", "coregularized_spectral"),
        ("", "concat", "kmeans"),
    ),
    "SIFT, k-means": (("sift", "image", "kmeans"),),
    "HOG, k-means": (("hog", "image", "kmeans"),),
    "colour histogram, k-means": (("color_histogram", "image", "kmeans"),),
    "Canny, k-means": (("canny", "image", "kmeans"),),
    "LBP, k-means": (("lbp", "image", "kmeans"),),
    "concatenated classical, k-means": (("classical", "image", "kmeans"),),
    "ResNet-50, k-means": (("resnet50", "image", "kmeans"),),
    "BLIP + SBERT, k-means": (("caption_sbert", "text", "kmeans"),),
    "EfficientNet-B0, k-means": (("efficientnet_b0", "image", "kmeans"),),
}
"""Which of ours a published method is; the first that was run."""
_NO_DIGEST = {"none", "jpeg"}
"""How the summary says that fetching held a file to nothing, or to its ending."""
STAND_INS = {"multi-view clustering model": "another method: ours is {}"}
USED_LABELS = {
    "SIC": "theirs is the epoch with the best test accuracy",
    "TEMI": "their code takes the checkpoint with the best test accuracy",
}
"""Where labels had a part in what was printed, as the released code has it."""


@dataclass(frozen=True)
class Published:
    """One published number, as a line of ``docs/published/<file>.csv`` has it.

    Values are shares in [0, 1]; a spread is as printed, or the error of reading it off
    a chart. The status says how it was read (F: figure or table, A: abstract, M: model
    card, L: third party).
    """

    file: str
    table: str
    dataset: str
    method: str
    metric: str
    value: float
    spread: float | None
    source: str
    status: str
    setup: str


@dataclass(frozen=True)
class Compared:
    """A published number, our mean over seeds, and our method as the record names it.

    ``differs`` says how the set-up is not theirs. ``difference`` is ours less theirs;
    None where our data are not the published ones.
    """

    published: Published
    ours: float
    name: str
    differs: list[str]
    difference: float | None


def read_published(folder: Path) -> list[Published]:
    """Read every ``.csv`` of a folder."""
    files = sorted(folder.glob("*.csv"))
    if not files:
        require_file(folder / "image_clustering.csv", "run in the repository's root")
    return [row for path in files for row in _read(path)]


def compare(
    published: Sequence[Published],
    benchmark: str,
    record: Record,
    params: Params,
    summary: Mapping[str, Any],
) -> list[Compared]:
    """Put our scores of a benchmark beside the published ones, where both exist.

    ``summary`` is the benchmark's, ``params`` those that made it.
    """
    found = []
    other = other_data(summary)
    for row in published:
        if row.dataset != benchmark:
            continue
        for place in OURS.get(row.method, ()):
            score = _find(record, place, row.metric, params.model.encoder)
            if score is None or score.mean is None:
                continue
            differs = _differs(row, benchmark, record, score, place, params)
            if other:
                differs = [f"our data are not the published ones: {other}", *differs]
            difference = None if other else score.mean - row.value
            found.append(Compared(row, score.mean, score.name, differs, difference))
            break
    return found


def other_data(summary: Mapping[str, Any]) -> str:
    """Say why a benchmark's data are not the published ones; empty where they are.

    They are where every count is the protocol's and each file of the source was held
    to a digest when it was fetched. No difference to a published number is given of
    other data, on the page or elsewhere.
    """
    expected = summary.get("expected") or {}
    if expected.get("matches") is None:
        return str(
            expected.get("why") or "nothing says how many images there should be"
        )
    if not expected["matches"]:
        return "their counts are others"
    verified = expected.get("verified") or ()
    if not verified:
        return "their files were not fetched by mmclust, which holds them to digests"
    if _NO_DIGEST & set(verified):
        return "not all their files were held to a digest"
    return ""


def select(
    published: Sequence[Published], dataset: str | None = None, table: str | None = None
) -> list[Published]:
    """Return the numbers of one data set, of one table."""
    for name, value in (("dataset", dataset), ("table", table)):
        known = {getattr(row, name) for row in published}
        if value is not None and value not in known:
            raise MmclustError(
                f"No published number of {value!r}"
                if name == "dataset"
                else f"No published table {value!r}",
                where="docs/published",
                expected=nearest(value, known),
                found=value,
            )
    return [
        row
        for row in published
        if dataset in (None, row.dataset) and table in (None, row.table)
    ]


def _find(record: Record, place: Place, metric: str, encoder: str) -> Score | None:
    wanted = (place[0] or encoder, *place[1:])
    for key in record.methods():
        if all(mine in (ANY, own) for mine, own in zip(wanted, key, strict=True)):
            score = record.get(key, metric)
            if score is not None:
                return score
    return None


def _differs(
    row: Published,
    benchmark: str,
    record: Record,
    score: Score,
    place: Place,
    params: Params,
) -> list[str]:
    """Say how our set-up is not the published one's."""
    differs = []
    own = place[0] not in (ANY, "")  # features of its own, whatever model.encoder is
    if own:
        images = record.mean(score.key, "n_samples")
        ours = f"{images or 0:.0f} images, this project's classes"
        differs.append(f"ours: {ours}; theirs: {row.setup}")
    elif "CLIP ViT-B/32" in row.setup:
        if other := _other_than_clip(score.encoder, params):
            differs.append(f"our encoder is {other}, theirs CLIP ViT-B/32")
    else:
        differs.append(f"our encoder is {score.encoder}; theirs: {row.setup}")
    n_classes = record.mean(score.key, "n_classes")
    if n_classes is not None and score.k != n_classes:
        differs.append(f"our k is {score.k}, not {n_classes:.0f} (classes)")
    options = params.benchmarks.get(benchmark) or {}
    policy = str(options.get("split_policy", "tac"))
    theirs = row.setup.partition("split_policy ")[2].partition(";")[0].strip()
    if theirs and policy != theirs:
        differs.append(f"our split policy is {policy}, theirs {theirs}")
    if row.method in USED_LABELS:
        differs.append(f"labels chose it: {USED_LABELS[row.method]}")
    if row.method in STAND_INS:
        differs.append(STAND_INS[row.method].format(score.name))
    elif own:
        differs.append("our k-means is the project's, on rows at unit norm")
    elif place[0] != ANY:
        differs.append("our k-means is the project's, not the release's call")
    return differs


def _other_than_clip(encoder: str, params: Params) -> str:
    """Say what an encoder is that is not CLIP ViT-B/32; empty where it is."""
    if params.plugin("encoders", encoder) != "clip":
        return encoder
    made = params.instance("encoders", encoder)
    model = made.options.model
    return "" if model == made.module.Params().model else f"{encoder} ({model})"


def _read(path: Path) -> list[Published]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != HEAD:
            raise MmclustError(
                "This is no file of published numbers",
                where=path,
                expected=",".join(HEAD),
                found=",".join(reader.fieldnames or ()),
            )
        rows = []
        for number, row in enumerate(reader, 2):
            try:
                spread = float(row["spread"]) if row["spread"] else None
                values: dict[str, Any] = {**row, "spread": spread}
                values["value"] = float(row["value"])
            except ValueError as error:
                raise MmclustError(
                    "A published value is no number",
                    where=f"{path}, line {number}",
                    found=row["value"],
                ) from error
            rows.append(Published(file=path.stem, **values))
    return rows

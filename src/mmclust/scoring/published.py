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

HEAD = ("table", "dataset", "method", "metric", "value", "spread", "source", "status",
        "setup")  # fmt: skip

Place = tuple[str, ...]
OURS: dict[str, tuple[Place, ...]] = {
    "CLIP (k-means)": (("heads", "image_kmeans"), ("image", "kmeans")),
    "CLIP image embedding, k-means": (("heads", "image_kmeans"), ("image", "kmeans")),
    "TAC (no train, concat k-means)": (("heads", "concat_kmeans"),),
    "concatenation, no training": (("heads", "concat_kmeans"),),
    "TAC": (("heads", "tac"),),
    "TAC, both": (("heads", "tac"),),
    "TAC (as listed by DXMC)": (("heads", "tac"),),
    "DXMC": (("heads", "dxmc"),),
    "DXMC image cluster head": (("heads", "dxmc"),),
    "multi-view clustering model": (
        ("both", "coregularized_spectral"),
        ("concat", "kmeans"),
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
"""Which of ours a published method is: a head, or view and clusterer (of
``model.encoder``, where no encoder goes before them)."""
_NO_DIGEST = {"none", "jpeg"}
"""How ``summary.json`` says that fetching held a file to nothing, or to its ending."""
STAND_INS = {"multi-view clustering model": "another method: ours is {}"}


@dataclass(frozen=True)
class Published:
    """One published number, as a line of ``docs/published/*.csv`` has it.

    Parameters
    ----------
    file
        The file's name without ``.csv``.
    table, dataset, method, metric
        Where in ``results``, and of what.
    value
        Shares in [0, 1].
    spread
        As printed (standard deviation), or the error of reading it off a chart.
    source, status, setup
        Who says so, how it was read (F: figure or table, M: model card, L: third
        party), and under which conditions.
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
    """A published number and ours.

    Parameters
    ----------
    published
        Theirs.
    ours
        Our mean over seeds.
    name
        Our method: encoder (or ``heads``), view and clusterer (or head).
    differs
        How the set-up is not theirs; empty where it is.
    difference
        Ours less theirs; None where our data are not the published ones.
    """

    published: Published
    ours: float
    name: str
    differs: list[str]
    difference: float | None


def read_published(folder: Path) -> list[Published]:
    """Read every ``.csv`` of a folder.

    Raises
    ------
    MmclustError
        When there is none, or one has other columns or a value that is no number.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        require_file(folder / "image_clustering.csv", "run in the repository's root")
    return [row for path in files for row in _read(path)]


def compare(
    published: Sequence[Published],
    benchmark: str,
    records: Mapping[str, Any],
    params: Params,
    summary: Mapping[str, Any],
) -> list[Compared]:
    """Put our scores of a benchmark beside the published ones.

    Parameters
    ----------
    published
        All that is known.
    benchmark
        Published under the same name.
    records
        Of ``metrics/clustering/<benchmark>.json``.
    params
        Those that made them.
    summary
        What ``mmclust build`` wrote down about the benchmark: ``summary.json``.

    Returns
    -------
    list of Compared
        Where both exist, in the order of the files.
    """
    found = []
    other = other_data(summary)
    for row in published:
        if row.dataset != benchmark:
            continue
        for place in OURS.get(row.method, ()):
            record, name = _record(records, place, params.model.encoder)
            if record is not None and row.metric in record:
                ours = float(record[row.metric])
                differs = _differs(row, benchmark, record, place, name, params)
                if other:
                    differs = [
                        f"our data are not the published ones: {other}",
                        *differs,
                    ]
                difference = None if other else ours - row.value
                found.append(Compared(row, ours, name, differs, difference))
                break
    return found


def other_data(summary: Mapping[str, Any]) -> str:
    """Say why a benchmark's data are not the published ones; empty where they are.

    They are where every count is the protocol's and each file of the source was held
    to a digest when it was fetched. No difference to a published number is given of
    other data, on the page or elsewhere.

    Parameters
    ----------
    summary
        ``summary.json``.
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


def select(published: Sequence[Published], dataset: str | None) -> list[Published]:
    """Return the numbers of one data set.

    Raises
    ------
    MmclustError
        When nothing is published of it, with the nearest that something is.
    """
    names = {row.dataset for row in published}
    if dataset is not None and dataset not in names:
        raise MmclustError(
            f"No published number of {dataset!r}",
            where="docs/published",
            expected=nearest(dataset, names),
            found=dataset,
        )
    return [row for row in published if dataset in (None, row.dataset)]


def _record(
    records: Mapping[str, Any], place: Place, encoder: str
) -> tuple[dict[str, Any] | None, str]:
    *own, where, method = place
    encoder = own[0] if own else encoder
    if where == "heads":
        for view, heads in records.get("heads", {}).items():
            if method in heads:
                return heads[method], f"heads {view} {method}"
        return None, ""
    record = records.get(encoder, {}).get(where, {}).get(method)
    return record, f"{encoder} {where} {method}"


def _differs(
    row: Published,
    benchmark: str,
    record: Mapping[str, Any],
    place: Place,
    name: str,
    params: Params,
) -> list[str]:
    """Say how our set-up is not the published one's."""
    differs = []
    if len(place) > 2:  # noqa: PLR2004 (an encoder of its own)
        ours = f"{record['n_samples']} images, this project's classes"
        differs.append(f"ours: {ours}; theirs: {row.setup}")
    elif "CLIP ViT-B/32" in row.setup and params.model.encoder != "clip":
        differs.append(f"our encoder is {params.model.encoder}, theirs CLIP ViT-B/32")
    elif "CLIP ViT-B/32" not in row.setup:
        differs.append(f"our encoder is {params.model.encoder}; theirs: {row.setup}")
    if record["k"] != record["n_classes"]:
        differs.append(f"our k is {record['k']}, not {record['n_classes']} (classes)")
    options = params.benchmarks.get(benchmark) or {}
    policy = str(options.get("split_policy", "tac"))
    theirs = row.setup.partition("split_policy ")[2].partition(";")[0].strip()
    if theirs and policy != theirs:
        differs.append(f"our split policy is {policy}, theirs {theirs}")
    if row.method in STAND_INS:
        differs.append(STAND_INS[row.method].format(name))
    elif len(place) > 2:  # noqa: PLR2004
        differs.append("our k-means is the project's, on rows at unit norm")
    elif place[0] != "heads":
        differs.append("our k-means is the project's, not the release's call")
    return differs


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

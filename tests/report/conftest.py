"""A whole run made by hand: blobs for features, coloured pictures, toy scores."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw

from mmclust.core.clusters import Clustering, write_clusters
from mmclust.core.features import write_features
from mmclust.core.io import write_bytes, write_json, write_table
from mmclust.core.labels import write_labels
from mmclust.core.manifest import Row, read_manifest, summary_path, write_manifest
from mmclust.core.params import ModelParams, Params, ReportParams
from mmclust.scoring.record import Score, path_of, write
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

METRICS = ("acc", "nmi", "ari", "purity", "f1")
BROWSER_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom",
)  # fmt: skip
CAPTION = "a <b>bold</b> & <script>alert('x')</script> dog"
ARABIC = "كلب أسود يركض في الحديقة"


@dataclass(frozen=True)
class Fake:
    """How big a run, and which views it has."""

    n: int = 24
    classes: int = 3
    n_clusters: int = 3
    views: tuple[str, ...] = ("image", "text")
    side: int = 40
    sweep: tuple[int, ...] = (2, 3, 5)
    seeds: int = 2
    names: tuple[str, ...] = ("cat", "traffic light", "zebra")
    captioned: bool = True
    taken_from: str = "sample"


def params(**model: Any) -> Params:
    return replace(
        Params(
            benchmarks={"toy": {}},
            encoders={"miniclip": {}},
            model=ModelParams(clusterers=("kmeans", "random"), heads=("tac",), **model),
        ),
        report=ReportParams(thumbnails=3, points=20),
    )


def picture(path: Path, label: int, rng: np.random.Generator, side: int) -> None:
    ground, ink = (tuple(int(v) for v in rng.integers(30, 255, 3)) for _ in range(2))
    image = Image.new("RGB", (side * 4 // 3, side), ground)
    draw = ImageDraw.Draw(image)
    low = rng.integers(0, side // 3)
    box = [int(low), int(low), int(low) + side // 2, int(low) + side // 2]
    shape = (draw.ellipse, draw.rectangle, draw.chord)[label % 3]
    shape(box, *((20, 300) if label % 3 == 2 else ()), fill=ink)
    image.save(path, "JPEG", quality=85)


def scores_of(key, rng, fake, seeds, versus=""):
    """Return a method's lines of the record, as the stage would write them."""
    found = []
    for metric in METRICS:
        mean = round(float(rng.uniform(0.1, 0.9)), 6)
        paired = {}
        if versus:
            paired = {"versus": versus, "diff": -0.004, "diff_low": -0.02,
                      "diff_high": 0.012, "p": 0.000999, "p_holm": 0.004}  # fmt: skip
        found.append(
            Score(
                *key, metric, mean, k=fake.n_clusters, low=round(mean - 0.05, 6),
                high=round(mean + 0.04, 6), sd=0.01 if seeds > 1 else None,
                n_seeds=seeds, definition="clustering-2", **paired,
            )
        )  # fmt: skip
    facts = {"ami": 0.25, "n_clusters": fake.n_clusters, "largest": 0.375, "noise": 0,
             "smallest": 0.125, "n_samples": fake.n,
             "n_classes": fake.classes}  # fmt: skip
    return found + [
        Score(*key, metric, float(value), k=fake.n_clusters, n_seeds=seeds)
        for metric, value in facts.items()
    ]


def make_run(root: Path, fake: Fake, benchmark: str = "toy") -> Params:
    """Write all files that the report reads; return the params they belong to."""
    rng = np.random.default_rng(5)
    images = root / "images" / benchmark
    images.mkdir(parents=True)
    labels = np.sort(rng.integers(0, fake.classes, fake.n))
    labels[: fake.classes] = np.arange(fake.classes)
    names = [fake.names[label] for label in labels]
    rows = []
    for i, label in enumerate(labels):
        picture(images / f"{i:05d}.jpg", int(label), rng, fake.side)
        captions = (f"a photo of a {names[i]} number {i} beside a small blue house",)
        captions = {0: (CAPTION,), 1: (ARABIC, "a second one"), 2: ()}.get(i, captions)
        captions = captions if fake.captioned else ()
        rows.append(
            Row(f"{i:05d}", images, f"{i:05d}.jpg", None, None, None, None, captions,
                "train")
        )  # fmt: skip
    folder = root / "data" / "benchmarks" / benchmark
    write_manifest(
        folder / "manifest.parquet",
        rows,
        benchmark=benchmark,
        protocol="1",
        sources={"instances.json": "ab" * 32},
    )
    manifest = read_manifest(folder / "manifest.parquet")
    ids = manifest.image_ids
    write_labels(folder / "labels.parquet", dict(zip(ids, names, strict=True)))
    counts = {name: names.count(name) for name in sorted(set(names))}
    summary = {
        "benchmark": benchmark, "images": fake.n, "classes": fake.classes,
        "captions": sum(len(r.captions) for r in rows), "per_class": counts,
        "expected": {"matches": None, "why": "the source is the built-in sample"},
        "notes": {"dropped": {"too_few_images": ["dog", "<i>cow</i>"]}, "kept": 7},
        "taken_from": {"sketches": fake.taken_from},
    }  # fmt: skip
    write_json(summary_path(folder), summary)
    if not (root / ".dvc/plots").exists():
        shutil.copytree(ROOT / ".dvc/plots", root / ".dvc/plots")
    _results(root, benchmark, fake, labels, names, manifest, rng)
    return params()


def _results(root, benchmark, fake, labels, names, manifest, rng):
    ids = manifest.image_ids
    centres = rng.normal(size=(fake.classes, 8))
    views = {
        view: (centres[labels] + 0.6 * rng.normal(size=(fake.n, 8))).astype(np.float32)
        for view in fake.views
    }
    meta = {"encoder": "miniclip", "params": {}}
    write_features(
        root / "data/features" / benchmark / "miniclip", views, meta, manifest
    )
    shown = [*fake.views, *(["concat"] if len(fake.views) > 1 else [])]
    clusters = labels % fake.n_clusters
    flip = rng.random(fake.n) < 0.25
    clusters = np.where(flip, rng.integers(0, fake.n_clusters, fake.n), clusters)
    runs = np.stack([clusters] * fake.seeds).astype(np.int32)
    clusterings = [
        Clustering(method, view, k, runs)
        for view in shown
        for method in ("kmeans", "random")
        for k in (fake.n_clusters, 99)
    ]
    write_clusters(
        root / "data/clusters" / benchmark / "miniclip.parquet", clusterings, ids, {}
    )
    classes = sorted(set(fake.names[: fake.classes]))
    match = [fake.names[c] if c < fake.classes else "" for c in range(fake.n_clusters)]
    matched = [match[c] for c in clusters]
    table = {
        "image_id": ids,
        "label": pa.array([classes.index(name) for name in names], pa.int32()),
        "label_name": names,
        "cluster": pa.array(clusters, pa.int32()),
        "matched": matched,
        "correct": [a == b for a, b in zip(matched, names, strict=True)],
    }
    write_table(
        root / "data/scores" / f"{benchmark}.parquet",
        pa.table(table),
        {
            "encoder": "miniclip",
            "clusterer": "kmeans",
            "view": shown[-1],
            "k": fake.n_clusters,
        },
    )
    moved = rng.random(fake.n) < 0.3
    head = np.where(moved, (clusters + 1) % fake.n_clusters, clusters)
    heads = [Clustering("tac", "image", fake.n_clusters, head[None].astype(np.int32),
                        rng.random((1, fake.n)).astype(np.float32))]  # fmt: skip
    folder = root / "data/clusters" / benchmark
    write_clusters(folder / "heads/tac.parquet", heads, ids, {})
    lines = []
    for encoder in ("miniclip", "other"):
        base = f"{encoder} {shown[0]} kmeans"
        for view in shown:
            own = "" if view == shown[0] else base
            lines += scores_of((encoder, view, "kmeans"), rng, fake, 5, own)
            lines += scores_of((encoder, view, "random"), rng, fake, 1, base)
    lines += scores_of(
        ("miniclip", "image", "tac"), rng, fake, 5, "miniclip image kmeans"
    )
    write(path_of(root, "score", benchmark), lines)
    over_k = [
        f"{encoder},{view},{k},{metric},{rng.uniform(0, 0.7):.4f}"
        for encoder in ("miniclip", "other")
        for view in shown
        for k in fake.sweep
        for metric in METRICS
    ]
    _csv(root / "plots/k" / f"{benchmark}.csv", "encoder,view,k,metric,score", over_k)
    _unlabelled(root, benchmark, fake, shown)
    told = [
        Score("miniclip", "image", "linear_probe", "acc", 0.875, low=0.75, high=1.0,
              note="uses labels"),
        Score("miniclip", "", "", "generalisation_rank_correlation", 0.625),
    ]  # fmt: skip
    write(path_of(root, "reference", benchmark), told)


def _unlabelled(root, benchmark, fake, shown):
    """Write names of clusters, and scores that need no labels."""
    named = [
        {"clusterer": "kmeans", "view": shown[-1], "k": k, "cluster": cluster,
         "keywords": ["<b>paw</b>", "fur"], "nouns": ["street_light"]}
        for k in (fake.n_clusters, 99)
        for cluster in range(fake.n_clusters)
    ]  # fmt: skip
    path = root / "data/clusters" / benchmark / "names/miniclip.parquet"
    write_table(path, pa.Table.from_pylist(named), {})
    free = {"silhouette": -0.0391, "davies_bouldin": 1.5, "calinski_harabasz": 55.7,
            "stability": None, "generalisation": 0.75, "coding_length": 9.5,
            "n_clusters": 3.0, "noise": 0.0}  # fmt: skip
    lines = [
        Score("miniclip", view, "kmeans", metric, value, k=fake.n_clusters, n_seeds=1)
        for view in shown
        for metric, value in free.items()
    ]
    for by, k in (("silhouette", 3), ("generalisation", 2)):
        lines.append(Score("miniclip", "", "", f"chosen_k_by_{by}", float(k)))
    write(path_of(root, "cluster", benchmark, "miniclip"), lines)


def _csv(path: Path, head: str, rows: list[str]) -> None:
    write_bytes(path, "\n".join([head, *rows, ""]).encode())


@pytest.fixture
def browse(tmp_path):
    """Open a page without a network and return its DOM and the console's lines."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium to open the page in")

    def dump(page: Path) -> tuple[str, list[str]]:
        done = subprocess.run(
            [browser, *BROWSER_FLAGS, f"--user-data-dir={tmp_path / 'profile'}",
             page.as_uri()],
            capture_output=True, check=False, encoding="utf-8", timeout=120,
        )  # fmt: skip
        assert "</html>" in done.stdout
        return done.stdout, re.findall(r":CONSOLE.*", done.stderr)

    return dump


@pytest.fixture
def make():
    """Make a run of another size: ``make(root, n=…, views=…)``."""
    return lambda root, **kind: make_run(root, Fake(**kind))


@pytest.fixture
def run(tmp_path):
    """A run of 24 images in three classes: its root and params."""
    return tmp_path, make_run(tmp_path, Fake())

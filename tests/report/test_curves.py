"""`dvc plots` works without a network: the page and the templates."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mmclust.core.errors import MmclustError
from mmclust.report.curves import draw, write_plots_page
from tests.conftest import ROOT

TEMPLATES = Path(__file__).parents[2] / ".dvc" / "plots"
PLOTS = [
    {"plots/confusion": {"template": "confusion_counts", "x": "cluster", "y": "class"}},
    {"plots/k": {"template": "scores_over_k", "x": "k", "y": "score"}},
    {
        "plots/seeds": {
            "template": "scores_over_seeds",
            "x": "score",
            "y": "clusterer",
        }
    },
    {"plots/auto_k": {"template": "criteria_over_k", "x": "k", "y": "score"}},
    {"plots/heads": {"template": "loss_curves", "x": "epoch", "y": "loss"}},
    {"plots/retrieval": {"template": "recall_over_k", "x": "k", "y": "recall"}},
    {
        "plots/ranks": {
            "template": "bars_by_direction",
            "x": "rank",
            "y": "queries",
        }
    },
]


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """A DVC repository with each kind of CSV, and the generated page."""
    root = tmp_path_factory.mktemp("repo")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        call(root, *command)
    call(root, "dvc", "config", "core.analytics", "false")
    call(root, "dvc", "config", "plots.html_template", "plots_page.html")
    shutil.copytree(TEMPLATES, root / ".dvc/plots", dirs_exist_ok=True)
    write_plots_page(root / ".dvc/plots_page.html")
    (root / "dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}))
    write_rows(root, 5)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=0"]
    call(root, "git", "add", ".")
    call(root, *git, "commit", "-qm", "one")
    return root


def call(root, *command):
    if command[0] == "dvc":
        command = (sys.executable, "-m", *command)
    subprocess.run(command, cwd=root, check=True, capture_output=True)


def write_rows(root, count):
    confusion = [["class", "cluster", "count"], ["cat", "cat (c1)", count]]
    over_k = [["k", "view", "metric", "score", "encoder"]]
    over_k += [[k, "image", "acc", count / 10 - k / 99, "hog"] for k in (2, 9)]
    seeds = [["encoder", "view", "clusterer", "seed", "metric", "score"]]
    seeds += [["hog", "image", "kmeans", i, "acc", count / 10 - i / 50] for i in (0, 1)]
    losses = [["epoch", "seed", "loss"]]
    losses += [[e, seed, count / e + seed] for e in (1, 2) for seed in (0, 1)]
    recall = [["captions", "direction", "k", "recall"]]
    recall += [["main", "i2t", k, k / 20 + count / 50] for k in (1, 2)]
    ranks = [["direction", "rank", "queries"], ["i2t", "1", 3], ["i2t", "2-3", count]]
    kinds = {"confusion": confusion, "k": over_k, "seeds": seeds, "heads": losses,
             "retrieval/pool/hog": recall, "ranks/pool/hog": ranks}  # fmt: skip
    for folder, rows in kinds.items():
        path = root / "plots" / folder / "toy.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)


@pytest.mark.parametrize("command", ["show", "diff"])
def test_plots_open_without_a_network(repo, command):
    """The pages of show and diff carry their scripts and load none."""
    write_rows(repo, 7)
    call(repo, "dvc", "plots", command, "-o", f"out_{command}")
    html = (repo / f"out_{command}" / "index.html").read_text()
    assert (
        re.findall(r"<(?:script|link)[^>]*(?:src|href)=\"?(?!data:|\"data:)", html)
        == []
    )
    assert "cdn." not in html
    assert html.count("vegaEmbed('#") == len(PLOTS)
    assert "DVC_METRIC" not in html
    assert ('"rev": "HEAD"' in html) == (command == "diff")


@pytest.mark.parametrize("command", ["show", "diff"])
def test_plots_are_drawn(repo, browse, command):
    """A browser without a network draws both plots and reports no error."""
    write_rows(repo, 7)
    call(repo, "dvc", "plots", command, "-o", f"drawn_{command}")
    dom, console = browse(repo / f"drawn_{command}" / "index.html")
    assert [line for line in console if "error" in line.lower()] == []
    assert len(re.findall(r'class="marks"', dom)) == len(PLOTS)


def test_branches_are_drawn_side_by_side(repo, browse):
    """`dvc plots diff` of two branches: both names, every figure, nothing loaded."""
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=0"]
    write_rows(repo, 5)
    call(repo, "git", "checkout", "-q", "-B", "first")
    call(repo, "git", "checkout", "-q", "-b", "second")
    write_rows(repo, 8)
    call(repo, *git, "commit", "-qam", "other numbers")
    call(repo, "git", "checkout", "-q", "first")
    call(repo, "dvc", "plots", "diff", "first", "second", "-o", "branches")
    html = (repo / "branches/index.html").read_text()
    assert not re.search(r"<(script|link)[^>]+https?://", html)
    assert {'"rev": "first"' in html, '"rev": "second"' in html} == {True}
    assert '"rev": "workspace"' not in html
    dom, console = browse(repo / "branches" / "index.html")
    assert [line for line in console if "error" in line.lower()] == []
    assert len(re.findall(r'class="marks"', dom)) == len(PLOTS)


def test_every_template_is_used_and_every_used_one_is_there():
    """dvc.yaml names the templates of this folder, no other ones, and all of them."""
    stages = yaml.safe_load((TEMPLATES.parents[1] / "dvc.yaml").read_text())["stages"]
    plots = [p for stage in stages.values() for p in stage.get("plots", [])]
    named = {s["template"] for p in plots for s in p.values() if "template" in s}
    named -= {"bar_horizontal", "scatter"}  # DVC's own
    assert named == {path.stem for path in TEMPLATES.glob("*.json")}
    assert named == {settings["template"] for p in PLOTS for settings in p.values()}


def test_a_bundle_that_would_break_the_page_is_refused(tmp_path, monkeypatch):
    """DVC replaces its placeholders anywhere, so none may stand in the scripts."""
    import vl_convert

    monkeypatch.setattr(
        vl_convert, "javascript_bundle", lambda *_, **__: "a = {plot_divs}"
    )
    with pytest.raises(MmclustError, match="cannot stand in a page") as caught:
        write_plots_page(tmp_path / "page.html")
    assert "{plot_divs}" in str(caught.value)
    assert not (tmp_path / "page.html").exists()


def test_a_learning_curve_has_one_axis_for_its_seeds_and_their_mean():
    """On two scales, seeds would seem to differ from their mean as they do not."""
    rows = [{"epoch": e, "seed": s, "loss": 3 / e + s} for e in (1, 2) for s in (0, 1)]
    svg = draw(ROOT, "loss_curves", rows, "epoch", "loss")
    assert svg.count(">loss</text>") == 1


@pytest.mark.parametrize("views", [["text"], ["image", "text", "image + text"]])
def test_a_view_has_its_colour_whatever_stands_beside_it(views):
    """Text is blue alone, too, and not the first colour of the list."""
    rows = [{"encoder": "e", "view": view, "k": k, "metric": "acc", "score": 0.5}
            for view in views for k in (2, 9)]  # fmt: skip
    svg = draw(ROOT, "scores_over_k", rows, "k", "score")
    assert "var(--text)" in svg
    assert ("var(--image)" in svg) == ("image" in views)

"""The pipeline under DVC, as a user drives it: repro, experiments, branches, plots.

One repository is made for the whole module, from the files as they are here, with
little of each kind. The tests run in order and build on each other.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mmclust.scoring.record import parse, read
from tests.conftest import ROOT

ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}
BENCHMARKS = ("coco_cross", "flickr30k_fg")
SCORES = "metrics/details/score/coco_cross.csv"
MEANS = "metrics/score/coco_cross"
TEXT = ("miniclip", "text", "kmeans")


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """A copy of the project in a git repository of its own, with small params."""
    root = copy_project(tmp_path_factory.mktemp("repo"))
    params = yaml.safe_load((root / "params.yaml").read_text())
    unused = {"coco2014", "pascal_sentences"}
    params["data"]["sources"] = [
        s for s in params["data"]["sources"] if s not in unused
    ]
    params["benchmarks"] = {"coco_cross": {}, "flickr30k_fg": {}}
    params["encoders"] = {
        "color_histogram": {"bins": 16},
        "miniclip": {"dim": 16, "size": 24, "steps": 20, "batch": 32},
    }
    params["model"] |= {"benchmarks": ["coco_cross"], "heads": ["tac"]}
    params["model"] |= {"n_seeds": 2, "k_sweep": [5, 20]}
    params["heads"] = {"tac": {"batch": 117, "epochs": 1}}
    params["retrieval"] |= {"benchmarks": ["flickr30k_fg"], "fitted_on": "coco_cross"}
    params["learning"] |= {"benchmark": "coco_cross", "n_seeds": 2}
    params["words"] = {"cooccurrence": {"clusters": 12}}
    params["grounding"]["benchmarks"] = []
    params["score"] = {"n_resamples": 100}
    params["report"] = {"thumbnails": 2, "points": 100}
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    run(root, "git", "init", "-q", "-b", "main")
    run(root, sys.executable, "-m", "mmclust", "plots-page")
    commit(root, "Start")
    return root


def copy_project(root):
    """Copy the project's files as they are here, without what it made."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    skip = ("tests/", "perf/", "metrics/", "plots/", "dvc.lock", "data/benchmarks")
    for name in listed:
        made = name.startswith(skip) and not name.endswith(".gitkeep")
        if (ROOT / name).is_file() and not made:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    return root


def run(root, *command, fails=False):
    environment = {**ENVIRONMENT, "PYTHONPATH": "src"}
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    assert (done.returncode != 0) is fails, f"{command}\n{output}"
    return output


def commit(root, message):
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-qm", message)


def dvc(root, *command, **options):
    return run(root, "dvc", *command, **options)


def stages_run(output):
    """Return the stages that ran, but for the check, which any edit runs."""
    return set(re.findall(r"Running stage '([^']+)'", output)) - {"check"}


def words(stages):
    return {stage.partition("@")[0] for stage in stages}


def test_repro_makes_everything_and_then_nothing(repo):
    """The first run makes metrics, plots and page; the second runs no stage."""
    first = stages_run(dvc(repo, "repro"))
    assert len(first) == 24
    scores = read(repo / SCORES)
    assert {key[0] for key in scores.methods()} == {"color_histogram", "miniclip"}
    assert 0 < scores.mean(TEXT, "acc") < 1
    assert (repo / "report/index.html").stat().st_size > 10_000
    assert stages_run(dvc(repo, "repro")) == set()
    untracked = run(repo, "git", "status", "--porcelain", "-uall").split()
    for name in ("dvc.lock", SCORES, f"{MEANS}/kmeans.json", "plots/k/coco_cross.csv"):
        assert name in untracked
    tracked = [n for n in untracked if n.startswith(("data/", "report/"))]
    summaries = [f"data/benchmarks/{b}.json" for b in BENCHMARKS]
    assert tracked == summaries
    commit(repo, "Run")


def test_repeated_from_nothing_gives_the_same_lock(repo, tmp_path):
    """A clone without a cache makes every output again, byte for byte."""
    clone = tmp_path / "clone"
    run(repo, "git", "clone", "-q", ".", str(clone))
    dvc(clone, "repro")
    assert run(clone, "git", "status", "--porcelain") == ""


def test_metrics_can_be_read_in_a_clone_without_data(repo, tmp_path):
    """Metrics are in git: no cache, no remote."""
    clone = tmp_path / "clone"
    run(repo, "git", "clone", "-q", ".", str(clone))
    assert f"{MEANS}/kmeans.json" in dvc(clone, "metrics", "show")


def test_another_k_reruns_only_what_reads_it(repo):
    """`dvc exp run -S model.k=43`: nouns, clusters, heads, and what shows them."""
    output = dvc(repo, "exp", "run", "-n", "k43", "-S", "model.k=43")
    expected = {"nouns", "cluster", "head", "score", "budget", "report"}
    assert words(stages_run(output)) == expected
    assert read(repo / SCORES).get(TEXT, "acc").k == 43
    run(repo, "git", "checkout", "-q", ".")
    dvc(repo, "checkout")
    assert stages_run(dvc(repo, "repro")) == set()


def test_a_queue_of_experiments(repo):
    """A sweep is queued, run with its own code, and shown beside the others."""
    dvc(repo, "exp", "run", "--queue", "-S", "model.k=10,20,43")
    dvc(repo, "exp", "run", "--run-all")
    rows = json.loads(dvc(repo, "exp", "show", "--json"))
    found = {}
    for row in rows:
        for experiment in row.get("experiments") or []:
            data = experiment["revs"][0]["data"]
            k = data["params"]["params.yaml"]["data"]["model"]["k"]
            assert 0 < data["metrics"][f"{MEANS}/kmeans.json"]["data"]["acc"] < 1
            rev = experiment["revs"][0]["rev"]
            record = parse(run(repo, "git", "show", f"{rev}:{SCORES}").encode(), rev)
            found[k] = record.get(TEXT, "acc").k
    assert found == {10: 10, 20: 20, 43: 43}


def test_branches_are_compared(repo):
    """Another k on a branch, committed: `dvc metrics diff` between branches."""
    run(repo, "git", "checkout", "-qb", "more")
    text = (repo / "params.yaml").read_text()
    (repo / "params.yaml").write_text(text.replace("  k: null", "  k: 25"))
    dvc(repo, "repro")
    commit(repo, "Use 25 clusters")
    run(repo, "git", "checkout", "-q", "main")
    dvc(repo, "checkout")
    diff = json.loads(dvc(repo, "metrics", "diff", "main", "more", "--json"))
    change = diff[f"{MEANS}/kmeans.json"]["acc"]
    assert 0 < change["new"] != change["old"] > 0
    command = (sys.executable, "-m", "mmclust", "diff", "main", "more", "--all")
    moved = " ".join(run(repo, *command).split())
    assert "10 → 25" in moved
    assert re.search(r"params differ: model\.k: \S+ → 25", moved), moved
    output = dvc(repo, "plots", "diff", "main", "more", "-o", "plots_diff")
    page = (repo / "plots_diff/index.html").read_text()
    assert "main" in page
    assert not re.search(r"<(script|link)[^>]+https?://", page), output
    shutil.rmtree(repo / "plots_diff")


def test_plots_open_offline(repo):
    """`dvc plots show` writes a page that loads nothing from elsewhere."""
    dvc(repo, "plots", "show", "-o", "shown")
    page = (repo / "shown/index.html").read_text()
    assert not re.search(r"<(script|link)[^>]+https?://", page)
    assert "confusion" in page
    shutil.rmtree(repo / "shown")


# Whose deps hold the folder of encoders.
LOOKING = {
    "encode@coco_cross-color_histogram",
    "encode@coco_cross-miniclip",
    "nouns@coco_cross",
    "head@coco_cross-tac",
    "embed@flickr30k_fg-miniclip",
    "score@coco_cross",  # references embed the names of classes
}


def as_before(output):
    return set(re.findall(r"^(.+): as before: nothing to do$", output, re.MULTILINE))


def test_editing_one_encoder_computes_only_what_depends_on_it(repo):
    """Others look at their fingerprints and end; so do all after a comment."""
    path = repo / "src/mmclust/encoders/color_histogram.py"
    before = path.read_text()
    path.write_text(before + "\n# a remark\n")
    output = dvc(repo, "repro")
    assert stages_run(output) == LOOKING
    assert as_before(output) == {
        "encode coco_cross color_histogram",
        "encode coco_cross miniclip",
        "nouns coco_cross",
        "head coco_cross tac",
        "embed flickr30k_fg miniclip",
        "score coco_cross",
    }
    path.write_text(before.replace("astype(np.float32)", "astype(np.float32) + 1"))
    output = dvc(repo, "repro")
    path.write_text(before)
    assert stages_run(output) == LOOKING | {
        "cluster@coco_cross-color_histogram",
        "budget",
        "report",
    }
    assert as_before(output) == {
        "encode coco_cross miniclip",
        "nouns coco_cross",
        "head coco_cross tac",
        "embed flickr30k_fg miniclip",
    }
    assert "changed: code: mmclust.encoders.color_histogram\n" in output
    run(repo, "git", "checkout", "-q", ".")
    dvc(repo, "checkout")


def test_a_new_encoder_is_one_file_and_one_name(repo):
    """The example of CONTRIBUTING.md, followed to the letter."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    heading = r"`src/mmclust/encoders/brightness\.py`\n\n"
    code = re.search(heading + r"```python\n(.+?)```", text, re.DOTALL).group(1)
    (repo / "src/mmclust/encoders/brightness.py").write_text(code)
    params = (repo / "params.yaml").read_text()
    line = re.search(r"`(brightness: \{grid: 2\})`", text).group(1)
    changed = params.replace("\nencoders:\n", f"\nencoders:\n  {line}\n")
    (repo / "params.yaml").write_text(changed)
    output = dvc(repo, "repro")
    assert len(as_before(output)) == len(LOOKING) - 1  # all but the scores
    assert stages_run(output) == LOOKING | {
        "encode@coco_cross-brightness",
        "cluster@coco_cross-brightness",
        "budget",
        "report",
    }
    scores = read(repo / SCORES)
    assert ("brightness", "image", "kmeans") in scores.methods()
    (repo / "src/mmclust/encoders/brightness.py").unlink()
    run(repo, "git", "checkout", "-q", ".")


def test_real_photographs_go_through_to_the_report(repo):
    """A folder of real COCO, unpacked, as the source: from fetch to the page."""
    folder = ROOT.parent / "shared/data/coco_mini"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/coco_mini")
    params = yaml.safe_load((repo / "params.yaml").read_text())
    params["data"]["mirror"] = str(folder.resolve())
    params["data"]["sources"] = ["coco2017"]
    params["benchmarks"] = {"coco_all": {"min_images": 1}}
    params["encoders"] |= {"miniclip": {"steps": 3}, "hog": {}, "random": {}}
    params["model"] |= {"benchmarks": ["coco_all"], "heads": []}
    params["retrieval"] |= {"benchmarks": [], "fitted_on": "coco_all"}
    params["learning"] |= {"word_lists": []}
    params["words"] = {}
    (repo / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    dvc(repo, "repro", "report")
    summary = json.loads((repo / "data/benchmarks/coco_all.json").read_text())
    assert summary["images"] == 15
    scores = read(repo / "metrics/details/score/coco_all.csv")
    views = {view for encoder, view, _ in scores.methods() if encoder == "miniclip"}
    assert views == {"image", "text", "concat"}
    assert len(list((repo / "report/files").glob("*.jpg"))) > 0
    run(repo, "git", "checkout", "-q", ".")
    dvc(repo, "checkout")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("model.k=100000", "Cannot make 100000 clusters of"),
        ("model.k=many", "where:    model.k"),
        ("model.clusterers=[kmean]", "Did you mean 'kmeans'?"),
        ("+model.seeds=3", "Unknown key 'model.seeds'"),
        ("+encoders.hogg={}", "Did you mean 'hog'?"),
    ],
)
def test_a_bad_param_is_one_clear_error(repo, change, text):
    """The stage fails with the message; what was there stays."""
    before = (repo / SCORES).read_bytes()
    output = dvc(repo, "exp", "run", "-S", change, fails=True)
    assert text in output
    assert "Traceback" not in output
    assert (repo / SCORES).read_bytes() == before
    run(repo, "git", "checkout", "-q", ".")
    dvc(repo, "checkout")

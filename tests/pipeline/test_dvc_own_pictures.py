"""One's own pictures, offline: the whole pipeline without a source of anybody's."""

import sys

import numpy as np
import pytest
import yaml
from PIL import Image

from mmclust.cli.preset import completed
from mmclust.scoring.record import read
from tests.pipeline.test_dvc import commit, copy_project, dvc, run, stages_run, words

KINDS = ("red", "green", "blue")


def write_pictures(folder, *, labelled):
    """Thirty noisy pictures of three colours, with captions beside them."""
    rng = np.random.default_rng(0)
    for i in range(30):
        rgb = rng.integers(0, 90, (40, 48, 3), dtype=np.uint8)
        rgb[8:30, 8:30, i % 3] += 150
        path = folder / (KINDS[i % 3] if labelled else "") / f"{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rgb).save(path)
        path.with_suffix(".txt").write_text(f"a {KINDS[i % 3]} square\non noise\n")


@pytest.mark.parametrize("labelled", [True, False])
def test_the_pipeline_of_own_pictures(labelled, tmp_path):
    """No WordNet, no sample, no network: from build to the page, then nothing."""
    root = copy_project(tmp_path / "repo")
    params = yaml.safe_load(completed(root / "presets/folder.yaml"))
    params["data"]["mirror"] = str(tmp_path)  # a folder that holds no data set
    params["benchmarks"]["folder"] = {"labels": "folders" if labelled else "none"}
    # An encoder that shares a space with words, which are not there.
    params["encoders"] = {
        "color_histogram": {"bins": 16},
        "miniclip": {"dim": 16, "size": 24, "steps": 5, "batch": 10},
    }
    params["model"] |= {"encoder": "miniclip", "n_seeds": 2, "k": 3}
    params["score"] = {"n_resamples": 100, "baseline": {
        "encoder": "color_histogram", "view": "image", "clusterer": "kmeans",
    }}  # fmt: skip
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    write_pictures(root / "data/raw/folder", labelled=labelled)
    run(root, "git", "init", "-q", "-b", "main")
    commit(root, "Start")
    ran = stages_run(dvc(root, "repro"))
    assert words(ran) == {
        "sample", "build", "vocabulary", "encode", "nouns", "cluster", "cognition",
        "score", "budget", "report",
    }  # fmt: skip
    assert (root / "report/index.html").stat().st_size > 10_000
    assert (
        root / "data/vocabulary/WordNetNouns.csv"
    ).read_text() == "word,definition\n"
    if labelled:
        scores = read(root / "metrics/details/score/folder.csv")
        assert scores.mean(("color_histogram", "image", "kmeans"), "acc") == 1
        assert stages_run(dvc(root, "repro")) == set()
    params["model"]["heads"] = ["tac"]
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    command = (sys.executable, "-m", "mmclust", "nouns", "folder")
    output = run(root, *command, fails=True)
    assert "The vocabulary is empty" in output
    assert "add wordnet to data.sources" in output

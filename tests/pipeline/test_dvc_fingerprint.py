"""Under DVC, stages that cost much compute again only what is made of other things.

One small repository of own pictures is made for the whole module; the tests run in
order and build on each other.
"""

import json
import shutil
import sys

import pytest
import yaml

from mmclust.cli.preset import completed
from tests.pipeline.test_dvc import (
    as_before,
    commit,
    copy_project,
    dvc,
    run,
    stages_run,
)
from tests.pipeline.test_dvc_own_pictures import write_pictures

WORDS = "square\ndisc\nbar\nred\ngreen\nblue\ngrey\nnoise\nred square\nblue bar\n"
MINICLIP = {"dim": 8, "size": 16, "width": 8, "steps": 5, "batch": 10}
TARGETS = ("cluster", "head@folder-tac", "learn@cooccurrence")
LOOKING = {
    "encode@folder-color_histogram": "encode folder color_histogram",
    "encode@folder-miniclip": "encode folder miniclip",
    "nouns@folder": "nouns folder",
    "head@folder-tac": "head folder tac",
}
"""Stages whose deps hold the folder of encoders, and what they call themselves."""


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """Features, nouns, clusters, a head and learned words of thirty pictures."""
    root = tmp_path_factory.mktemp("repo")
    copy_project(root)
    params = yaml.safe_load(completed(root / "presets/folder.yaml"))
    params["benchmarks"]["folder"] = {"labels": "folders"}
    params["encoders"] = {"color_histogram": {"bins": 16}, "miniclip": MINICLIP}
    params["model"] |= {"encoder": "miniclip", "n_seeds": 2, "k": 3, "heads": ["tac"]}
    params["model"]["clusterers"] = ["kmeans"]
    params["heads"] = {"tac": {"batch": 10, "epochs": 1, "hidden": 8}}
    params["heads"]["tac"]["n_neighbors"] = 3
    params["nouns"] = {"vocabulary": "words.txt", "centres": 3}
    params["words"] = {"cooccurrence": {"clusters": 2, "word_list": None}}
    params["learning"]["n_seeds"] = 1
    params["score"]["baseline"]["encoder"] = "color_histogram"
    (root / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (root / "words.txt").write_text(WORDS)
    write_pictures(root / "data/raw/folder", labelled=True)
    run(root, "git", "init", "-q", "-b", "main")
    output = dvc(root, "repro", *TARGETS)
    assert as_before(output) == set()
    assert len(stages_run(output)) == 8
    commit(root, "Run")
    return root


def edit(repo, old, new, file="encoders/color_histogram.py"):
    path = repo / "src/mmclust" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def back(repo):
    run(repo, "git", "checkout", "-q", ".")
    dvc(repo, "checkout", "--with-deps", *TARGETS)


def contents(folder):
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_a_comment_in_an_encoder_computes_nothing(repo):
    """Stages that may run it look, and end; what depends on them does not run."""
    edit(repo, "VIEWS = ", "# a remark\nVIEWS = ")
    output = dvc(repo, "repro", *TARGETS)
    assert stages_run(output) == set(LOOKING)
    assert as_before(output) == set(LOOKING.values())
    assert stages_run(dvc(repo, "repro", *TARGETS)) == set()
    back(repo)


def test_an_edit_in_an_encoder_computes_its_features(repo):
    """And what reads them; the other encoder, nouns and heads are as before."""
    edit(repo, "astype(np.float32)", "astype(np.float32) + 1")
    output = dvc(repo, "repro", *TARGETS)
    assert stages_run(output) == {*LOOKING, "cluster@folder-color_histogram"}
    assert as_before(output) == {LOOKING[s] for s in [*LOOKING][1:]}
    assert "changed: code: mmclust.encoders.color_histogram\n" in output
    back(repo)
    assert stages_run(dvc(repo, "repro", *TARGETS)) == set()


def test_an_edit_in_a_helper_computes_what_imports_it(repo):
    """miniclip's training: its features, and nouns, which it embeds; no other's."""
    edit(repo, "\ndef ", "\nUNUSED = 1\ndef ", "encoders/_contrastive.py")
    output = dvc(repo, "repro", *TARGETS)
    assert stages_run(output) == set(LOOKING)  # what came out is as it was
    again = {"encode folder miniclip", "nouns folder"}
    assert as_before(output) == set(LOOKING.values()) - again
    assert output.count("changed: code: mmclust.encoders._contrastive\n") == len(again)
    back(repo)


CLUSTERS = {f"cluster@folder-{encoder}" for encoder in ("color_histogram", "miniclip")}


def test_clusters_are_computed_again_for_their_own_clusterers_alone(repo):
    """Neither for one that does not run, nor for a comment in one that does."""
    edit(repo, "params.eps", "2 * params.eps", "clusterers/dbscan.py")
    edit(repo, "DETERMINISTIC", "# a remark\nDETERMINISTIC", "clusterers/kmeans.py")
    output = dvc(repo, "repro", *TARGETS)
    assert stages_run(output) == CLUSTERS
    assert len(as_before(output)) == len(CLUSTERS)
    edit(repo, "DETERMINISTIC", "UNUSED = 1\nDETERMINISTIC", "clusterers/kmeans.py")
    output = dvc(repo, "repro", *TARGETS)
    assert stages_run(output) == CLUSTERS
    assert output.count("changed: code: mmclust.clusterers.kmeans\n") == len(CLUSTERS)
    back(repo)


def test_fewer_seeds_leave_none_of_the_others(repo):
    """What an earlier run left in an output would be taken for this one's."""
    folder = repo / "data/heads/folder/tac"
    assert set(contents(folder)) == {
        "head.json", "seed_0.safetensors", "seed_1.safetensors",
    }  # fmt: skip
    output = dvc(repo, "exp", "run", "-S", "model.n_seeds=1", "head@folder-tac")
    assert "head folder tac: changed: options: n_seeds\n" in output
    assert set(contents(folder)) == {"head.json", "seed_0.safetensors"}
    back(repo)


def test_what_was_checked_out_is_as_before(repo):
    """Records come with the outputs they speak of; damage and strays do not pass."""
    for name in ("features/folder", "heads/folder", "words/cooccurrence"):
        shutil.rmtree(repo / "data" / name)
    shutil.rmtree(repo / "data/fingerprints")
    back(repo)
    folder = repo / "data/features/folder/color_histogram"
    whole = contents(folder)
    for names in (
        ["encode", "folder", "color_histogram"],
        ["head", "folder", "tac"],
        ["learn", "cooccurrence"],
    ):
        output = run(repo, sys.executable, "-m", "mmclust", *names)
        assert as_before(output) == {" ".join(names)}
    (folder / "image.npy").unlink()
    (folder / "image.npy").write_bytes(b"damaged")
    (folder / "text.npy").write_bytes(b"of an earlier run")
    output = dvc(repo, "repro", "encode@folder-color_histogram")
    assert "is not what was written" in output
    assert contents(folder) == whole
    assert run(repo, "git", "status", "--porcelain") == ""


def test_elsewhere_too(repo):
    """`dvc exp run --temp` works in another folder, with the records of this one."""
    edit(repo, "VIEWS = ", "# a remark\nVIEWS = ")
    stage = "encode@folder-color_histogram"  # pictures of one's own do not go there
    output = dvc(repo, "exp", "run", "--temp", "--single-item", stage)
    assert stages_run(output) == {stage}
    assert as_before(output) == {LOOKING[stage]}
    back(repo)


def test_records_are_of_the_deps_and_outs_that_dvc_knows(repo):
    """An input that is no dep would change unseen; so would an output."""
    stages = yaml.safe_load((repo / "dvc.lock").read_text())["stages"]
    seen = set()
    for name, stage in stages.items():
        outs = {out["path"] for out in stage["outs"]}
        records = {out for out in outs if out.startswith("data/fingerprints/")}
        for path in records:
            record = json.loads((repo / path).read_text())
            deps = [dep["path"] for dep in stage["deps"]]
            read = [*record["made_of"]["inputs"], *record["made_of"]["files"]]
            for file in read:
                assert any(f"{file}/".startswith(f"{dep}/") for dep in deps), file
            found = {
                out for file in record["outputs"] for out in outs
                if f"{file}/".startswith(f"{out}/")
            }  # fmt: skip
            assert found == outs - records
            seen.add(name.partition("@")[0])
    assert seen == {"encode", "nouns", "cluster", "head", "learn"}

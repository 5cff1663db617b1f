"""`mmclust preset`: short params files, completed when written, and what they cost."""

import re
import shutil
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import yaml

from mmclust.cli.preset import completed
from mmclust.core.params import Params, read_params
from mmclust.core.plugins import known
from mmclust.core.registry import read_registry
from tests.conftest import ROOT

PRESETS = sorted((ROOT / "presets").glob("*.yaml"))
NAMES = ["coco-real", "cpp-2024", "dxmc-table1", "folder", "gradnorm-2025",
         "imbalance", "joint-coco2014", "joint-coco2017", "joint-flickr30k",
         "kmeans-dialects", "ntk-sc-2026", "real-weights", "sample", "scan-2020",
         "sic-2023", "temi-2023", "text-guided-food", "text-guided-imagenet",
         "turtle-2024"]  # fmt: skip


@pytest.fixture
def repo(tmp_path):
    shutil.copytree(ROOT / "presets", tmp_path / "presets")
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data/sources.yaml", tmp_path / "data")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def test_the_presets_are_these():
    assert [path.stem for path in PRESETS] == NAMES


def test_the_sample_is_todays_params():
    """The preset `sample` is params.yaml, byte for byte."""
    assert (ROOT / "presets/sample.yaml").read_bytes() == (
        ROOT / "params.yaml"
    ).read_bytes()


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_every_name_exists(path):
    """Sources, benchmarks, encoders, heads, clusterers and their options."""
    params = read_params(path)
    assert set(params.data.sources) <= set(read_registry(ROOT / "data/sources.yaml"))
    wanted = {
        "benchmarks": set(params.benchmarks),
        "encoders": set(params.encoders),
        "clusterers": {*params.clusterers, *params.model.clusterers},
        "heads": {*params.heads, *params.model.heads},
        "words": set(params.words),
    }
    for kind, used in wanted.items():
        for name in used:
            assert params.instance(kind, name).plugin in known(kind)


def _named(node):
    """Every key of params.yaml that a part of dvc.yaml interpolates or depends on."""
    if isinstance(node, dict):
        listed = node.get("params", []) if isinstance(node.get("params"), list) else []
        found = {k for k in listed if isinstance(k, str) and "${" not in k}
        return found.union(*map(_named, node.values()))
    if isinstance(node, list):
        return set().union(*map(_named, node))
    found = set(re.findall(r"\$\{([a-z_.]+)\}", str(node)))
    return {key for key in found if key.partition(".")[0] != "item"}


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_completed(path, tmp_path):
    """Every key that dvc.yaml names is in what is written, and says the same."""
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data/sources.yaml", tmp_path / "data")
    (tmp_path / "params.yaml").write_bytes(completed(path))
    short, full = read_params(path), read_params(tmp_path / "params.yaml")
    assert full.clustered == short.clustered
    assert full == replace(short, model=full.model)
    assert full.model == replace(short.model, benchmarks=full.model.benchmarks)
    dvc = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    own = {key for block in dvc["vars"] for key in block}
    for key in _named(dvc["stages"]) - own:
        at = yaml.safe_load(completed(path))
        for part in key.split("."):
            assert part in at, key
            at = at[part]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_name_the_nouns_that_a_stage_makes(path):
    """And fetch what they are made of, unless nothing is fetched and nothing asks."""
    preset = yaml.safe_load(completed(path))
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["vocabulary"]
    assert preset["nouns"]["vocabulary"] in stage["outs"]
    offline = not preset["data"]["sources"] and not preset["model"]["heads"]
    assert offline or "wordnet" in preset["data"]["sources"]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_dvc_reads_the_pipeline_with_every_preset(tmp_path, path):
    """All that dvc.yaml takes from params.yaml is there: nothing is left to guess."""
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / "params.yaml").write_bytes(completed(path))
    code = (
        "from dvc.repo import Repo; Repo.init(no_scm=True);"
        "print(len(Repo().index.stages))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 8


def test_writing_keeps_what_was_there(repo, run_mmclust):
    """The old file is kept once; another one that was kept is never overwritten."""
    before = (repo / "params.yaml").read_bytes()
    done = run_mmclust("preset", "dxmc-table1", cwd=repo)
    assert done.returncode == 0, done.stderr
    assert (repo / "params.yaml.bak").read_bytes() == before
    written = (repo / "params.yaml").read_bytes()
    assert written == completed(repo / "presets/dxmc-table1.yaml")
    done = run_mmclust("preset", "coco-real", cwd=repo)
    assert done.returncode == 1
    assert "params.yaml.bak holds another" in done.stderr
    assert (repo / "params.yaml.bak").read_bytes() == before


def test_what_is_downloaded_is_said(repo, run_mmclust):
    """Sources, sizes, licences, and what has to be done by hand."""
    out = run_mmclust("preset", "dxmc-table1", cwd=repo).stdout
    assert "cifar10: 0.2 GB" in out
    assert "stl10: 2.6 GB" in out
    assert "licence:" in out
    assert "mmclust sources accept imagenet1k" in out
    assert "by hand:" in out
    assert "weights of openai/clip-vit-base-patch32: about 605 MB" in out


@pytest.mark.parametrize("name", ["text-guided-food", "text-guided-imagenet"])
def test_every_checkpoint_of_the_track_is_named_once(repo, run_mmclust, name):
    """Of the captioner and of encoders that others are made of, too."""
    out = run_mmclust("preset", name, cwd=repo).stdout
    models = re.findall(r"weights of (\S+):", out)
    assert models == [
        "resnet50",
        "sentence-transformers/all-mpnet-base-v2",
        "Salesforce/blip-image-captioning-base",
    ]


def test_the_sample_downloads_nothing(repo, run_mmclust):
    """And a preset that is there already needs no copy of the old file."""
    done = run_mmclust("preset", "sample", cwd=repo)
    assert "downloads nothing" in done.stdout
    assert not (repo / "params.yaml.bak").exists()


def test_what_packages_carry_is_no_download(repo, run_mmclust):
    """EfficientNet-Lite0 comes with set-up; no source is named: nothing is fetched."""
    out = run_mmclust("preset", "folder", cwd=repo).stdout
    assert "downloads nothing" in out
    assert "weights of" not in out


def test_list_and_unknown_names(repo, run_mmclust):
    """Without a name they are listed, one line each."""
    out = run_mmclust("preset", cwd=repo).stdout.splitlines()
    assert [line.split()[0] for line in out] == NAMES
    done = run_mmclust("preset", "dxmc", cwd=repo)
    assert done.returncode == 1
    assert "Did you mean 'dxmc-table1'?" in done.stderr


def test_table_1_prepares_pixels_and_nouns_as_the_release_does():
    """Spec of TAC and DXMC, sections 1 to 5: 256 for ImageNet's subsets alone."""
    params = read_params(ROOT / "presets/dxmc-table1.yaml")
    sides = {
        name: params.instance("encoders", "clip", name).options.short_side
        for name in params.benchmarks
    }
    assert sides == {"cifar10": 224, "cifar20": 224, "stl10": 224,
                     "imagenet10": 256, "imagenet_dogs": 256}  # fmt: skip
    clip = params.instance("encoders", "clip", "imagenet10").options
    assert (clip.rounding, clip.normalise) == ("even", False)
    nouns = params.nouns
    assert (nouns.faiss_seed, nouns.max_points_per_centroid) == (1234, 256)
    assert (nouns.noun_softmax_dtype, nouns.counterpart_dtype) == ("float16",) * 2
    assert (nouns.prompt_normalisation, nouns.deduplicate_nouns) == (False, False)


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_short(path):
    """They say what is not the default, but for the sample, which explains all."""
    if path.stem == "sample":
        return
    defaults = asdict(Params())
    for section, values in yaml.safe_load(path.read_text()).items():
        assert values != defaults[section], section
        for key, value in values.items() if isinstance(values, dict) else ():
            assert value != defaults[section].get(key, ""), f"{section}.{key}"

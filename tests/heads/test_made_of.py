"""Nouns, heads and names are of the weights and bytes that the features are of."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mmclust.clusterers._stage import cluster_benchmark
from mmclust.core.errors import MmclustError
from mmclust.core.features import read_features
from mmclust.core.io import read_json, write_json
from mmclust.core.manifest import read_manifest
from mmclust.core.params import ModelParams, NounsParams, Params
from mmclust.heads._files import assign_images, load_head
from mmclust.heads._nouns import nouns_of_benchmark
from mmclust.heads._panels import panels_of_benchmark
from mmclust.heads._stage import head_of_benchmark
from tests.encode.staging import encode_benchmark
from tests.encoders import tiny as make
from tests.heads.test_stage import TAC, WORDS


@pytest.fixture
def clip(tmp_path_factory):
    """A checkpoint of its own for each test, which may change it."""
    return make.clip(tmp_path_factory.mktemp("weights") / "clip")


@pytest.fixture
def repository(tiny, clip):
    """Features by a frozen encoder from a folder, nouns, and a trained head."""
    (tiny / "words.txt").write_text(WORDS)
    settings = Params(
        seed=5,
        encoders={"clip": {"model": str(clip), "short_side": 32, "crop": 32}},
        heads={"tac": TAC},
        nouns=NounsParams(vocabulary="words.txt", centres=4),
        model=ModelParams(
            n_seeds=1, encoder="clip", heads=("tac",), clusterers=("kmeans",)
        ),
    )
    encode(tiny, settings)
    nouns_of_benchmark(tiny, "tiny", settings)
    head_of_benchmark(tiny, "tiny", "tac", settings)
    return tiny, settings


def encode(root, settings):
    manifest = root / "data/benchmarks/tiny/manifest.parquet"
    out = root / "data/features/tiny/clip"
    encode_benchmark(manifest, "clip", out, block=settings.encoders["clip"], seed=5)


def change_weights(folder):
    """Put other weights into a folder, of the same shapes and size."""
    path = folder / "model.safetensors"
    state = load_file(path)
    turned = {
        name: array[..., ::-1].copy() for name, array in state.items() if array.ndim
    }
    save_file(state | turned, path, {"format": "pt"})


def change_tokenizer(folder):
    """Swap two letters."""
    path = folder / "tokenizer.json"
    tokens = json.loads(path.read_text())
    words = tokens["model"]["vocab"]
    words["a"], words["e"] = words["e"], words["a"]
    path.write_text(json.dumps(tokens))


def change_config(folder):
    make.edit_json(folder / "config.json", logit_scale_init_value=3.0)


@pytest.mark.parametrize("change", [change_weights, change_tokenizer, change_config])
def test_other_files_in_the_folder_are_never_mixed(repository, clip, change):
    """Nouns of the new model beside images of the old one: refused, not made."""
    root, settings = repository
    pictures = sorted((root / "raw").glob("*.jpg"))[:2]
    head = root / "data/heads/tiny/tac"
    before = np.load(root / "data/nouns/tiny/nouns.npy")
    change(clip)
    with pytest.raises(MmclustError, match="features were made by other weights") as e:
        nouns_of_benchmark(root, "tiny", settings)
    assert "mmclust encode tiny clip" in str(e.value)
    with pytest.raises(MmclustError, match="images were made by other weights"):
        assign_images(pictures, head)
    encode(root, settings)
    for make_it in (
        lambda: head_of_benchmark(root, "tiny", "tac", settings),
        lambda: panels_of_benchmark(root, "tiny", "tac", root / "p.svg"),
        lambda: cluster_benchmark("tiny", "clip", settings, root),
    ):
        with pytest.raises(MmclustError, match=r"(features|weights) other than these"):
            make_it()
    nouns_of_benchmark(root, "tiny", settings)
    after = np.load(root / "data/nouns/tiny/nouns.npy")
    same = len(after) == len(before) and np.array_equal(after, before)
    assert same == (change is change_config)
    head_of_benchmark(root, "tiny", "tac", settings)
    assign_images(pictures, head)


def test_kept_embeddings_are_of_what_is_there(repository, clip):
    """One file for each origin; what is damaged is made anew, what fits is taken."""
    root, settings = repository
    cache = root / "data/nouns/_embeddings"
    (first,) = cache.glob("*.npy")
    nouns = (root / "data/nouns/tiny/nouns.npy").read_bytes()
    np.save(first, np.load(first)[::-1])
    nouns_of_benchmark(root, "tiny", settings)
    assert (root / "data/nouns/tiny/nouns.npy").read_bytes() == nouns
    change_weights(clip)
    encode(root, settings)
    nouns_of_benchmark(root, "tiny", settings)
    assert len(list(cache.glob("*.npy"))) == 2
    assert (root / "data/nouns/tiny/nouns.npy").read_bytes() != nouns


def test_other_options_are_refused(repository):
    """Features by one crop of pictures, an encoder with another."""
    root, settings = repository
    block = settings.encoders["clip"] | {"rounding": "even"}
    other = Params(**{**vars(settings), "encoders": {"clip": block}})
    with pytest.raises(MmclustError, match="by other options than clip") as caught:
        nouns_of_benchmark(root, "tiny", other)
    assert "rounding: floor" in str(caught.value)
    assert "rounding: even" in str(caught.value)


def reverse(path):
    np.save(path, np.load(path)[::-1])


def test_arrays_with_their_rows_reversed_are_refused(repository):
    """Shape, type and values are right, the order is not."""
    root, settings = repository
    manifest = read_manifest(root / "data/benchmarks/tiny/manifest.parquet")
    for file, read in (
        ("nouns/tiny/counterparts.npy",
         lambda: head_of_benchmark(root, "tiny", "tac", settings)),
        ("nouns/tiny/nouns.npy",
         lambda: cluster_benchmark("tiny", "clip", settings, root)),
        ("features/tiny/clip/text.npy",
         lambda: read_features(root / "data/features/tiny/clip", manifest)),
        ("features/tiny/clip/image.npy",
         lambda: nouns_of_benchmark(root, "tiny", settings)),
    ):  # fmt: skip
        path = root / "data" / file
        whole = path.read_bytes()
        reverse(path)
        with pytest.raises(MmclustError, match=rf"{path.name} is not the file") as e:
            read()
        assert "sha256" in str(e.value)
        path.write_bytes(whole)
        read()


def test_features_that_say_nothing_of_their_bytes_are_refused(repository):
    """As those of the first edition do."""
    root, _ = repository
    folder = root / "data/features/tiny/clip"
    facts = read_json(folder / "features.json")
    write_json(folder / "features.json", {k: facts[k] for k in facts if k != "sha256"})
    manifest = read_manifest(root / "data/benchmarks/tiny/manifest.parquet")
    with pytest.raises(MmclustError, match=r"features\.json(.|\n)*no sha256"):
        read_features(folder, manifest)


def test_a_head_of_other_weights_is_refused(repository):
    """A file that is a head, but not this one."""
    root, _ = repository
    folder = root / "data/heads/tiny/tac"
    path = folder / "seed_0.safetensors"
    save_file({k: -v for k, v in load_file(path).items()}, path)
    with pytest.raises(MmclustError, match=r"is not the file that head\.json speaks"):
        load_head(folder)


def test_nouns_of_another_fit_are_refused(tiny):
    """miniclip's weights beside features that they did not make."""
    (tiny / "words.txt").write_text(WORDS)
    small = {"dim": 8, "size": 16, "width": 8, "steps": 4, "batch": 12}
    settings = Params(
        seed=5,
        encoders={"miniclip": small},
        nouns=NounsParams(vocabulary="words.txt", centres=4),
        model=ModelParams(heads=("tac",)),
    )
    manifest = tiny / "data/benchmarks/tiny/manifest.parquet"
    for seed, name in ((5, "miniclip"), (6, "other")):
        out = tiny / "data/features/tiny" / name
        encode_benchmark(manifest, "miniclip", out, block=small, seed=seed)
    nouns_of_benchmark(tiny, "tiny", settings)
    features = tiny / "data/features/tiny"
    for file in ("fitted.safetensors", "fitted.json"):
        shutil.copy(features / "other" / file, features / "miniclip" / file)
    with pytest.raises(MmclustError, match=r"not the file that features\.json speaks"):
        nouns_of_benchmark(tiny, "tiny", settings)
    facts = json.loads((features / "miniclip/features.json").read_text())
    assert set(facts["sha256"]) == {
        "image.npy", "text.npy", "fitted.safetensors", "fitted.json",
    }  # fmt: skip

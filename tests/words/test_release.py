"""Models of the original release: files of that shape, and hostile ones."""

import os
import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest
import torch

from mmclust.core.clusters import read_words
from mmclust.core.errors import MmclustError
from mmclust.core.io import read_json
from mmclust.models.backbones import load
from mmclust.words._release import TEXT_MODEL, import_release

TABLES = [{"dog": 2, "a": 2, "cat": 1}, {"a": 1, "cat": 2}, {"a": 1, "bike": 1}, {}]


@pytest.fixture
def foreign(monkeypatch):
    """The release's class, only while files are written."""
    module_name, _, name = TEXT_MODEL.rpartition(".")
    parts = module_name.split(".")
    for i in range(1, len(parts) + 1):
        path = ".".join(parts[:i])
        monkeypatch.setitem(sys.modules, path, types.ModuleType(path))
    kind = type(name, (), {"__module__": module_name})
    setattr(sys.modules[module_name], name, kind)
    return kind


@pytest.fixture
def release(tmp_path, foreign):
    """A folder as the release has it, with 4 clusters."""
    from torchvision.models import resnet50

    for kind in ("visual", "text"):
        (tmp_path / kind).mkdir()
    with torch.random.fork_rng(devices=[]):
        torch.save(resnet50(num_classes=4).state_dict(), tmp_path / "visual/m.mdl")
    save_text(tmp_path, foreign)
    return tmp_path


def save_text(folder, kind, **changes):
    model = kind()
    vars(model).update(
        {"cluster_num": 4, "mode": 1, "cluster_to_word_co_occur": TABLES} | changes
    )
    torch.save(model, folder / "text/m.mdl")


def test_a_released_model_becomes_ours(release, monkeypatch):
    """Clusters and probabilities are those of its counts; the network is its own."""
    for path in [p for p in sys.modules if p.startswith("models_src")]:
        monkeypatch.delitem(sys.modules, path)
    out = release / "out"
    import_release(release, out)
    words = read_words(out / "words.parquet")
    assert words.words == ("dog", "a", "cat", "bike")
    assert words.clusters.tolist() == [[0, 2, 1, 2]]
    np.testing.assert_allclose(
        words.confidence[0], [1, 0.405405, 0.769231, 1], atol=5e-7
    )
    facts = read_json(out / "model.json")
    assert (facts["mode"], facts["clusters"], facts["backbone"]) == (
        "generative", 4, "resnet50",
    )  # fmt: skip
    network = load(out / "seed_0/visual.safetensors", "resnet50", 4)
    given = torch.load(release / "visual/m.mdl", weights_only=True)
    assert torch.equal(network.fc.weight, given["fc.weight"])


def test_tables_may_be_a_dict_of_clusters(release, foreign):
    """Either way of keeping one table for each cluster."""
    save_text(release, foreign, cluster_to_word_co_occur=dict(enumerate(TABLES)))
    assert import_release(release, release / "out").words[0] == "dog"


class Hostile:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("where", ["whole", "inside", "visual"])
@pytest.mark.parametrize(
    ("call", "named"),
    [
        ((os.system, "touch {mark}"), "system"),
        ((eval, "open('{mark}', 'w')"), "eval"),
        ((os.mkdir, "{mark}"), "mkdir"),
    ],
)
def test_hostile_files_are_refused_by_name(release, foreign, where, call, named):
    """Nothing is called, wherever the call hides."""
    mark = release / "mark"
    hostile = Hostile(call[0], call[1].format(mark=mark))
    if where == "inside":
        save_text(release, foreign, cluster_num=hostile)
    else:
        kind = "text" if where == "whole" else "visual"
        torch.save(hostile, release / kind / "m.mdl")
    with pytest.raises(MmclustError, match="asks for code that is not run") as raised:
        import_release(release, release / "out")
    assert named in str(raised.value.parts["found"])
    assert not mark.exists()
    assert not (release / "out").exists()


def test_plain_pickles_are_refused(release):
    """Not even opened as torch's old format."""
    mark = release / "mark"
    (release / "text/m.mdl").write_bytes(
        pickle.dumps(Hostile(os.system, f"touch {mark}"))
    )
    with pytest.raises(MmclustError):
        import_release(release, release / "out")
    assert not mark.exists()


def test_another_class_of_the_same_module_is_refused(release, foreign):
    """Exactly one name is known."""
    other = type("Other", (), {"__module__": foreign.__module__})
    sys.modules[foreign.__module__].Other = other
    save_text(release, foreign, extra=other())
    with pytest.raises(MmclustError, match="not run") as raised:
        import_release(release, release / "out")
    assert str(raised.value.parts["found"]).endswith("word_cluster_count_model.Other")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": 7}, "mode"),
        ({"cluster_num": 5}, "one table for each of 5 clusters"),
        ({"cluster_to_word_co_occur": [{"a": -1}, {}, {}, {}]}, "whole counts"),
        ({"cluster_to_word_co_occur": [{"a": 0.5}, {}, {}, {}]}, "whole counts"),
        ({"cluster_to_word_co_occur": [{1: 1}, {}, {}, {}]}, "whole counts"),
        ({"cluster_to_word_co_occur": [{"a": float("nan")}, {}, {}, {}]}, "counts"),
        ({"cluster_to_word_co_occur": [{}, 3, {}, {}]}, "a dict for cluster 1"),
        ({"cluster_to_word_co_occur": [{}, {}, {}, {}]}, "counts above 0"),
    ],
)
def test_models_of_another_shape_are_refused(release, foreign, changes, message):
    """What was expected is said."""
    save_text(release, foreign, **changes)
    with pytest.raises(MmclustError, match="not a model of the release") as raised:
        import_release(release, release / "out")
    assert message in str(raised.value.parts["expected"])


def test_a_network_of_another_size_is_refused(release):
    """Its last layer must have the clusters of the text model."""
    state = torch.load(release / "visual/m.mdl", weights_only=True)
    state["fc.bias"] = torch.zeros(5)
    torch.save(OrderedDict(state), release / "visual/m.mdl")
    with pytest.raises(MmclustError, match="not a model of the release") as raised:
        import_release(release, release / "out")
    assert "fc.bias of shape (5,)" in str(raised.value)


def test_damaged_and_missing_files_are_named(release):
    """And several models want a name."""
    (release / "text/n.mdl").write_bytes(b"x")
    with pytest.raises(MmclustError, match="several models"):
        import_release(release, release / "out")
    with pytest.raises(MmclustError, match=r"n\.mdl is not a readable file"):
        import_release(release, release / "out", "n")
    with pytest.raises(MmclustError, match=r"k\.mdl is missing"):
        import_release(release, release / "out", "k")
    with pytest.raises(MmclustError, match="no model of the release"):
        import_release(release / "visual", release / "out")


def test_the_command(release, run_mmclust):
    """`mmclust words import`."""
    done = run_mmclust("words", "import", release, "--out", release / "o", cwd=release)
    assert done.returncode == 0, done.stderr
    assert "4 words, 4 clusters, generative" in done.stdout

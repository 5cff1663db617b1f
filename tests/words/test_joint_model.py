"""The joint model: what it writes, its rules, and the same bytes however it ran."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

from mmclust.core.clusters import read_words
from mmclust.core.errors import MmclustError
from mmclust.core.io import read_json
from mmclust.core.manifest import read_manifest
from mmclust.core.params import read_params
from mmclust.core.types import Flags, Run
from mmclust.models.backbones import load
from mmclust.models.hub import load_torch
from mmclust.words import _train
from mmclust.words._counts import Counts
from mmclust.words._stage import learn_words, read_corpus
from mmclust.words._train import Task, held_out, weights_digest
from mmclust.words.joint_model import Params
from tests.conftest import ROOT

SMALL = {
    "backbone": "small", "size": 16, "clusters": 6, "batch": 10, "learning_rate": 0.001,
}  # fmt: skip
SCRIPT = Path(__file__).with_name("training.py")


def set_params(root, seeds=1, **options):
    blocks = {
        "words": {"joint_model": SMALL | options},
        "learning": {"benchmark": "tiny", "n_seeds": seeds},
    }
    (root / "params.yaml").write_text(yaml.safe_dump(blocks))
    return read_params(root / "params.yaml")


def learned(root, **flags):
    learn_words(root, "joint_model", read_params(root / "params.yaml"), Flags(**flags))
    return bytes_of(root)


def bytes_of(root):
    folder = root / "data/words/joint_model"
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return found | {"curve": (root / "plots/words/joint_model.csv").read_bytes()}


def start(root, steps):
    return subprocess.Popen(
        [sys.executable, SCRIPT, root, str(steps)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_published_values_are_the_defaults():
    """Spec, section 2."""
    assert Params() == Params(
        backbone="resnet50", pretrained=False, frozen=False, size=224, clusters=100,
        visual_threshold=0.5, text_threshold=0.03, mode="generative",
        learning_rate=1e-4, batch=50, epochs=2, lemmas=False, validation=0.0,
        select="last",
    )  # fmt: skip


def test_what_is_written_fits_together(tiny):
    """words.parquet says what the counts say; weights load into the named network."""
    params = set_params(tiny, seeds=2)
    words = learn_words(tiny, "joint_model", params)
    out = tiny / "data/words/joint_model"
    assert words.words == read_words(out / "words.parquet").words
    assert words.words[:6] == ("a", "red", "square", "on", "grey", "one")
    facts = read_json(out / "model.json")
    assert facts["captions"] == 108
    assert facts["visual_threshold"] == 0.5
    for seed in range(2):
        counts = Counts(np.load(out / f"seed_{seed}/counts.npy"))
        assert counts.table.shape == (len(words.words), 6)
        clusters, confidence = counts.best(np.arange(len(words.words)))
        assert words.clusters[seed].tolist() == clusters.tolist()
        assert words.confidence[seed].tolist() == confidence.tolist()
        network = load(
            out / f"seed_{seed}/visual.safetensors",
            facts["backbone"],
            facts["clusters"],
        )
        assert network(torch.zeros(1, 3, 16, 16)).shape == (1, 6)
    curve = (tiny / "plots/words/joint_model.csv").read_text().splitlines()
    assert curve[0] == "epoch,seed,loss,text_loss,active_clusters,active_words"
    assert len(curve) == 5
    assert not (tiny / "data/words/joint_model.work").exists()


def test_a_step_uses_the_state_before_the_batch(tiny):
    """Spec 2.3: targets from old counts, counts from old weights, in one step."""
    options = Params(**SMALL | {"clusters": 3, "visual_threshold": 0.0})
    corpus = read_corpus(read_manifest(tiny / "data/benchmarks/tiny/manifest.parquet"))
    pictures = np.random.default_rng(0).integers(0, 256, (36, 16, 16, 3), np.uint8)
    run = Run(seeds=(1,), root=tiny, out=tiny, work=tiny)
    session = _train.Session(Task(0, corpus, options, run, np.arange(36)), pictures)
    batch = np.array([0, 1, 3, 4])  # two captions of each of the first two pictures
    for _ in range(2):
        with torch.no_grad():
            before = session.outputs(batch).numpy()  # statistics of the batch
        table = session.counts.table.copy()
        said = Counts(table).outputs(*corpus.tokens_of(batch), 4)
        losses = session.step(batch, 0, 0)
        expected = torch.nn.functional.binary_cross_entropy_with_logits(
            torch.from_numpy(before), torch.from_numpy((said >= 0.03).astype("f4"))
        )
        assert losses["loss"] == pytest.approx(float(expected), rel=1e-5)
        for caption, active in zip(batch, before >= 0, strict=True):
            ids, _ = corpus.tokens_of(np.array([caption]))
            np.add.at(table, ids, active.astype(np.int64))
        assert session.counts.table.tolist() == table.tolist()
    assert session.counts.totals.tolist() == table.sum(0).tolist()


def test_the_same_bytes_at_any_number_of_workers(tiny):
    """And from one run to the next."""
    set_params(tiny, seeds=2, epochs=1)
    alone = learned(tiny)
    shutil.rmtree(tiny / "data/words")
    assert learned(tiny, workers=2) == alone


def test_a_step_is_taken_on_any_kind_of_device(tiny):
    """On one that is not CUDA's, which draws by the same seed; here ``cpu:0``."""
    options = Params(**SMALL | {"clusters": 3, "visual_threshold": 0.0})
    corpus = read_corpus(read_manifest(tiny / "data/benchmarks/tiny/manifest.parquet"))
    pictures = np.random.default_rng(0).integers(0, 256, (36, 16, 16, 3), np.uint8)
    losses = []
    for device in ("cpu", "cpu:0"):
        run = Run(seeds=(1,), root=tiny, out=tiny, work=tiny, device=device)
        task = Task(0, corpus, options, run, np.arange(36))
        before = torch.get_rng_state()
        losses.append(_train.Session(task, pictures).step(np.arange(4), 0, 0))
        assert torch.equal(torch.get_rng_state(), before)
    assert losses[0] == losses[1]


def test_a_killed_run_is_resumed_to_the_same_bytes(tiny, monkeypatch):
    """SIGKILL in the second epoch, and stops within and at the end of the first."""
    set_params(tiny)
    whole = learned(tiny)
    shutil.rmtree(tiny / "data/words")
    state = tiny / "data/words/joint_model.work/run/seed_0.pt"
    killed = start(tiny, 14)  # of 22 steps
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not (tiny / "data/words/joint_model/words.parquet").exists()
    place = load_torch(state)["place"]
    assert (place["epoch"], place["step"]) == (1, 3)
    assert learned(tiny) == whole
    for steps in (3, 11):
        shutil.rmtree(tiny / "data/words")
        with monkeypatch.context() as patch:
            patch.setattr(_train.Session, "step", stopping(steps))
            with pytest.raises(KeyboardInterrupt):
                learned(tiny, save_every=0)
        assert learned(tiny) == whole


def stopping(steps):
    step, left = _train.Session.step, iter(range(steps))

    def stepping(self, *arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return step(self, *arguments)

    return stepping


def test_a_state_of_other_options_does_not_count(tiny):
    """Another learning rate starts anew."""
    set_params(tiny, learning_rate=0.002)
    start(tiny, 5).communicate()
    assert (tiny / "data/words/joint_model.work/run/seed_0.pt").exists()
    set_params(tiny)
    after = learned(tiny)
    shutil.rmtree(tiny / "data/words")
    assert learned(tiny) == after


def test_nothing_learned_is_said(tiny):
    """When no first output reaches the threshold, nothing would ever be learned."""
    set_params(tiny, visual_threshold=1000.0)
    with pytest.raises(MmclustError, match="no cluster was ever active") as raised:
        learned(tiny)
    assert "lower visual_threshold" in str(raised.value)


def test_images_are_held_out_whole(tiny):
    """Their figures come with every epoch; too few are refused."""
    set_params(tiny, epochs=1, validation=0.25)
    lines = []
    learned(tiny, say=lines.append)
    facts = (tiny / "plots/words/joint_model.csv").read_text().splitlines()
    assert facts[0].endswith("validation_loss,validation_matching")
    assert 0 <= float(facts[1].rpartition(",")[2]) <= 1
    assert "validation matching" in lines[0]
    out = held_out(np.arange(36), 0.25, 5)
    assert len(out) == 9
    assert out.tolist() == held_out(np.arange(36), 0.25, 5).tolist()
    set_params(tiny, epochs=1, validation=0.04)
    with pytest.raises(MmclustError, match="Too few images to hold some out"):
        learned(tiny)


def test_the_published_choice_of_an_epoch_needs_norms(tiny):
    """And takes the later of equals."""
    params = set_params(tiny, epochs=3, select="include_unknown_fscore")
    with pytest.raises(MmclustError, match="selected by norms"):
        learned(tiny)
    scores = iter(np.array([0.5, 0.5, 0.2]))
    learn_words(tiny, "joint_model", params, Flags(judge=lambda *_: next(scores)))
    facts = read_json(tiny / "data/words/joint_model/model.json")
    assert facts["selected_epochs"] == [2]
    chosen = bytes_of(tiny)["seed_0/counts.npy"]
    shutil.rmtree(tiny / "data/words")
    set_params(tiny, epochs=2)
    assert learned(tiny)["seed_0/counts.npy"] == chosen


def test_a_state_of_other_weights_is_not_continued(tmp_path):
    """What a training begins with is known by the file's bytes, not by its name."""
    path = tmp_path / "weights.pth"
    task = SimpleNamespace(
        corpus=SimpleNamespace(manifest=SimpleNamespace(digest="m")),
        params=Params(pretrained=str(path)),
        run=SimpleNamespace(seeds=[1], precision="float32"),
        number=0,
    )
    origins = set()
    for data in (b"one", b"two", b"one"):
        path.write_bytes(data)
        origins.add(Task.origin.fget(task))
        assert weights_digest(str(path)) == hashlib.sha256(data).hexdigest()
    assert len(origins) == 2
    assert weights_digest(False) is weights_digest(True) is None


def test_lower_precision_runs(tiny):
    """bf16 on a CPU; the model says so."""
    set_params(tiny, epochs=1)
    learned(tiny, precision="bf16")
    facts = read_json(tiny / "data/words/joint_model/model.json")
    assert facts["precision"] == "bf16"

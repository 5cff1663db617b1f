"""Re-ranking: the arithmetic by hand, and a tiny BLIP that really reads pictures."""

import json

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.features import sealed
from mmclust.core.manifest import Row, read_manifest, write_manifest
from mmclust.retrieval.metrics import direction
from mmclust.retrieval.ranks import rank_scores
from mmclust.retrieval.rerank import (
    captions_cut,
    load_itm,
    match_scores,
    reordered,
    rerank_benchmark,
)
from mmclust.retrieval.task import read_task
from mmclust.scoring.record import read
from tests.conftest import save_jpeg


def ranked(scores, positives, k):
    return rank_scores(lambda a, b: scores[a:b], *scores.shape, positives, top_k=k)


def test_listed_candidates_are_ordered_anew():
    """A right one climbs within the list; one outside stays behind it."""
    scores = np.array([[9, 8, 7, 6, 5], [9, 8, 7, 6, 5]], np.float32)
    positives = np.array([[2], [4]])
    ranks = ranked(scores, positives, 3)
    listed = np.array([[0.1, 0.3, 0.2], [0.1, 0.3, 0.2]])
    found = reordered(ranks, positives, listed, np.arange(2))
    assert found.best.tolist() == [1, 4]
    assert found.places.tolist() == [[2], [5]]


def test_all_listed_is_ranking_by_the_new_scores():
    """With k as large as the pool the dual encoder no longer matters."""
    rng = np.random.default_rng(0)
    old = rng.standard_normal((40, 12)).astype(np.float32)
    new = rng.integers(0, 5, (40, 12)).astype(np.float32)
    positives = np.stack([rng.permutation(12)[:3] for _ in range(40)])
    ranks = ranked(old, positives, 12)
    found = reordered(
        ranks, positives, np.take_along_axis(new, ranks.top, 1), np.arange(40)
    )
    plain = ranked(new, positives, 1)
    expected = direction(plain.greater[0], plain.equal[0], plain.scores, np.arange(40))
    assert (found.best == expected.best).all()
    assert (found.tied == expected.tied).all()
    assert (np.sort(found.places) == np.sort(expected.places)).all()


def test_the_dual_encoders_own_scores_change_nothing():
    """Whatever k: the same order comes out."""
    rng = np.random.default_rng(1)
    scores = rng.standard_normal((30, 50)).astype(np.float32)
    positives = np.stack([rng.permutation(50)[:5] for _ in range(30)])
    positives[::4, 4] = -1
    for k in (1, 7, 50):
        ranks = ranked(scores, positives, k)
        found = reordered(ranks, positives, ranks.top_scores, np.arange(30))
        expected = direction(
            ranks.greater[0], ranks.equal[0], ranks.scores, np.arange(30)
        )
        assert (found.best == expected.best).all()
        assert (found.places == expected.places).all()


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "green", "blue"]


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    """Two layers of random weights, saved as a publisher would."""
    import torch
    from transformers import (
        BertTokenizerFast,
        BlipConfig,
        BlipForImageTextRetrieval,
        BlipImageProcessor,
        BlipProcessor,
    )

    folder = tmp_path_factory.mktemp("blip")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    size = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2}
    config = BlipConfig(
        text_config={**size, "vocab_size": len(WORDS), "intermediate_size": 64,
                     "encoder_hidden_size": 32, "max_position_embeddings": 16,
                     "bos_token_id": 2, "pad_token_id": 0,
                     "sep_token_id": 3, "eos_token_id": 3},
        vision_config={**size, "intermediate_size": 64, "image_size": 32,
                       "patch_size": 16},
        projection_dim=16, image_text_hidden_size=16,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BlipForImageTextRetrieval(config)
        for weight in model.parameters():
            weight.data *= 15 if weight.ndim > 1 else 1  # or all scores are alike
        model.save_pretrained(folder)
    BlipProcessor(
        BlipImageProcessor(size={"height": 32, "width": 32}),
        BertTokenizerFast(vocab_file=str(folder / "vocab.txt")),
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def repo(tmp_path):
    """Six pictures with two captions each and three without, and embeddings."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "data/benchmarks/toy_fg"
    rows = []
    for i in range(9):
        rgb = rng.integers(0, 255, (40, 48, 3), dtype=np.uint8)
        save_jpeg(tmp_path / f"images/{i}.jpg", rgb)
        captions = ("a red", "blue green a") if i < 6 else ()
        captions = tuple(f"{c} {WORDS[5 + i % 4]}" for c in captions)
        rows.append(
            Row(f"{i}", tmp_path / "images", f"{i}.jpg", None, None, 48, 40,
                captions, "test")
        )  # fmt: skip
    digest = write_manifest(
        folder / "manifest.parquet", rows, benchmark="toy_fg", protocol="1", sources={}
    )
    embedded = tmp_path / "data/embeddings/toy_fg/toy"
    embedded.mkdir(parents=True)
    np.save(embedded / "image.npy", rng.standard_normal((9, 8)).astype(np.float32))
    np.save(embedded / "text_main.npy", rng.standard_normal((12, 8)).astype(np.float32))
    (embedded / "embeddings.json").write_text(
        json.dumps(
            {
                "encoder": "toy",
                "manifest": digest,
                **sealed(embedded, ["image.npy", "text_main.npy"]),
            }
        )
    )
    return tmp_path


KEY = ("toy", "main", "reranked")


def rerank(repo, blip, top_k=4, **changes):
    given = {"revision": None, "n_resamples": 100, "seed": 0, **changes}
    return rerank_benchmark(repo, "toy_fg", "toy", str(blip), top_k=top_k, **given)


def test_scores_are_those_of_the_whole_model(repo, blip):
    """Encoding the picture once gives what the model's own forward gives."""
    import torch

    manifest = read_manifest(repo / "data/benchmarks/toy_fg/manifest.parquet")
    loaded = load_itm(str(blip), None, "cpu")
    texts = ["a red", "green blue a a"]
    ours = match_scores(loaded, manifest, [3], [texts], 2)
    from PIL import Image

    picture = Image.open(repo / "images/3.jpg").convert("RGB")
    inputs = loaded.processor(
        images=[picture] * 2, text=texts, padding=True, return_tensors="pt"
    )
    with torch.inference_mode():
        logits = loaded.model(**inputs, use_itm_head=True)[0]
    theirs = (logits[:, 1] - logits[:, 0]).numpy()
    assert ours == pytest.approx(theirs, abs=1e-5)


def test_rerank_writes_figures_with_k(repo, blip):
    """k and the model are in the metrics; the work folder is gone."""
    record = rerank(repo, blip)
    path = repo / "metrics/details/retrieve/toy_fg/toy_reranked.csv"
    assert len(read(path).scores) == len(record.scores)
    scores = record.of(KEY)
    assert scores["top_k"].mean == 4
    assert "revision" in scores["top_k"].note
    assert scores["n_pool"].mean == 9
    assert not list((repo / "data/rerank").rglob("*.work"))
    assert scores["captions_cut"].mean == 0
    # Compared with the lists before, on the same queries: too few for a p-value.
    assert scores["rsum"].versus == "toy main"
    assert scores["rsum"].p is None
    assert "at least 10" in scores["rsum"].note
    assert rerank(repo, blip, batch_size=1).of(KEY)["rsum"] == scores["rsum"]


def test_captions_beyond_the_matchers_limit_are_counted(repo, blip):
    """16 tokens with two special ones: 14 words are read, 15 are cut."""
    loaded = load_itm(str(blip), None, "cpu")
    texts = ["a " * 13, "red " * 14, "blue " * 15, "green " * 99]
    assert captions_cut(loaded, texts) == 2


def test_other_weights_never_find_old_scores(repo, blip, tmp_path):
    """The work folder's name follows weights, tokenizer and configuration."""
    import shutil

    folder = shutil.copytree(blip, tmp_path / "copy")
    one = load_itm(str(folder), None, "cpu").digest
    assert load_itm(str(folder), None, "cpu").digest == one
    words = (folder / "vocab.txt").read_text().replace("red\ngreen", "green\nred")
    for path in ("vocab.txt", "tokenizer.json"):
        if (folder / path).is_file():
            text = (folder / path).read_text()
            (folder / path).write_text(words if path == "vocab.txt" else text + "\n")
    assert load_itm(str(folder), None, "cpu").digest != one


def test_k_of_everything_forgets_the_dual_encoder(repo, blip):
    """All pairs are scored by the cross-encoder alone."""
    record = rerank(repo, blip, top_k=12)
    task = read_task(repo / "data/benchmarks/toy_fg")
    manifest = read_manifest(repo / "data/benchmarks/toy_fg/manifest.parquet")
    loaded = load_itm(str(blip), None, "cpu")
    texts = task.captions["main"].texts
    matrix = match_scores(loaded, manifest, task.rows, [texts] * 9, 12).reshape(9, 12)
    own = task.captions["main"].image
    right = matrix[own, np.arange(12)]
    rank = 1 + (matrix > right).sum(0)
    assert record.mean(KEY, "t2i_mean_rank") == pytest.approx(rank.mean(), abs=0.2)


def test_a_stopped_run_goes_on(repo, blip, monkeypatch):
    """Finished shards are kept."""
    from mmclust.retrieval import rerank as module

    monkeypatch.setattr(module, "IMAGES", 2)
    calls = []
    plain = module.match_scores

    def stopping(*arguments):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(1)
        return plain(*arguments)

    monkeypatch.setattr(module, "match_scores", stopping)
    with pytest.raises(KeyboardInterrupt):
        rerank(repo, blip)
    monkeypatch.setattr(
        module, "match_scores", lambda *a: (calls.append(1), plain(*a))[1]
    )
    rerank(repo, blip)
    assert len(calls) == 5


@pytest.mark.parametrize(
    ("model", "revision", "text"),
    [("Salesforce/blip-itm-base-coco", None, "revision of Salesforce"),
     ("folder", None, "holds no checkpoint")],
)  # fmt: skip
def test_models_that_are_not_there(repo, tmp_path, model, revision, text):
    """A hub id needs its commit; a folder needs weights."""
    if model == "folder":
        (tmp_path / "empty").mkdir()
        model = tmp_path / "empty"
    with pytest.raises(MmclustError, match=text):
        rerank(repo, model, revision=revision)

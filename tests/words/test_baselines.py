"""The baselines: exact counts, vectors as published, and clusters of listed words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.core.clusters import UNKNOWN
from mmclust.core.errors import MmclustError
from mmclust.kernels.cooccurrence import coordinates, occurrences, vectors
from mmclust.words import bert, clip_text, sbert
from tests.encoders import tiny
from tests.words.toy import corpus, learn

LIST = "dog\ncat\nbus\ncar\nzebra\nstreet\n"
sentences = st.lists(st.lists(st.integers(0, 5), max_size=7), min_size=1, max_size=8)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data/word-list").mkdir(parents=True)
    (tmp_path / "data/word-list/words.txt").write_text(LIST)
    return tmp_path


def dense(captions, n_words):
    """As published: one for a token itself, one each way for every two places."""
    table = np.zeros((n_words, n_words))
    for caption in captions:
        for i, a in enumerate(caption):
            table[a, a] += 1
            for b in caption[i + 1 :]:
                table[a, b] += 1
                table[b, a] += 1
    return table


def sparse(captions, n_words):
    ids = np.array([w for each in captions for w in each], np.int32)
    bounds = np.concatenate([[0], np.cumsum([len(each) for each in captions])])
    return occurrences(ids, bounds, n_words)


def test_a_repeated_word_adds_two_to_its_diagonal_per_pair():
    """ "a dog a a": the diagonal of a is 3 + 2 · 3 = 9; with dog 3."""
    table = sparse([[0, 1, 0, 0]], 2)
    np.testing.assert_array_equal((table.T @ table).toarray(), [[9, 3], [3, 1]])


def test_tokens_are_left_as_they_are():
    """Neither sorted nor summed: they are kept for later."""
    ids, bounds = np.array([2, 0, 2, 1], np.int32), np.array([0, 3, 4])
    occurrences(ids, bounds, 3)
    assert ids.tolist() == [2, 0, 2, 1]
    assert bounds.tolist() == [0, 3, 4]


@given(sentences)
def test_counts_are_those_of_a_loop_over_pairs(captions):
    table = sparse(captions, 6)
    np.testing.assert_array_equal((table.T @ table).toarray(), dense(captions, 6))


@given(sentences, st.sets(st.integers(0, 5), min_size=1))
def test_vectors_are_rows_of_unit_norm_and_keep_their_distances(captions, chosen):
    """In fewer coordinates, too."""
    rows = np.array(sorted(chosen))
    plain = dense(captions, 6)[rows]
    norms = np.linalg.norm(plain, axis=1, keepdims=True)
    plain = np.divide(plain, norms, out=np.zeros_like(plain), where=norms > 0)
    found = vectors(sparse(captions, 6), rows)
    np.testing.assert_allclose(found.toarray(), plain, atol=1e-12)
    points = coordinates(found)
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    expected = np.linalg.norm(plain[:, None] - plain[None], axis=-1)
    np.testing.assert_allclose(apart, expected, atol=1e-3)


def test_cooccurrence_clusters_the_list_alone(root):
    """Words off the list, and listed ones that never occur, are unknown; one seed,
    one result; the tokens are kept for the estimates of concreteness."""
    made, learned = learn("cooccurrence", root, clusters=2)
    again = learn("cooccurrence", root, clusters=2)[1]
    np.testing.assert_array_equal(learned.clusters, again.clusters)
    known = {w for w, c in zip(made.words, learned.clusters[0], strict=True)
             if c != UNKNOWN}  # fmt: skip
    assert known == set(LIST.split()) - {"zebra"}
    cluster = dict(zip(made.words, learned.clusters[0].tolist(), strict=True))
    assert cluster["dog"] == cluster["cat"] != cluster["bus"] == cluster["car"]
    assert learned.facts == {"kind": "cooccurrence", "clusters": 2, "n_clustered": 5}
    out = root / "data/words/cooccurrence"
    np.testing.assert_array_equal(np.load(out / "tokens.npy"), corpus().ids)
    np.testing.assert_array_equal(np.load(out / "bounds.npy"), made.bounds)


def test_random_words(root):
    """Every word has a cluster; seeds differ, and repeat themselves."""
    _, learned = learn("random", root, seeds=(1, 2, 1), clusters=41)
    assert ((learned.clusters >= 0) & (learned.clusters < 41)).all()
    np.testing.assert_array_equal(learned.clusters[0], learned.clusters[2])
    assert (learned.clusters[0] != learned.clusters[1]).any()
    assert learn("random", root, per_query=True)[1].facts["per_query"] is True


@pytest.mark.parametrize("header", ["", "4 2\n"])
def test_word_vectors_of_a_text_file(root, header):
    """With counts above or not; words that the file lacks are unknown."""
    (root / "v.txt").write_text(f"{header}dog 1 0\ncat 1 0.1\nbus 0 9\ncar 0.1 9\n")
    made, learned = learn("word_vectors", root, file="v.txt", clusters=2)
    cluster = dict(zip(made.words, learned.clusters[0].tolist(), strict=True))
    assert cluster["dog"] == cluster["cat"] != cluster["bus"] == cluster["car"]
    assert cluster["street"] == UNKNOWN
    assert len(learned.facts["weights"]) == 64


def test_a_list_of_null_is_all_words(root):
    made, learned = learn("cooccurrence", root, clusters=3, word_list=None)
    assert (learned.clusters != UNKNOWN).all()
    assert learned.facts["n_clustered"] == len(made.words)


@pytest.mark.parametrize(
    ("block", "text", "message"),
    [
        ({"word_list": "none.txt"}, LIST, "list of words to cluster is missing"),
        ({"clusters": 6}, LIST, "fewer words than clusters"),
        ({}, "zebra\n", "captions hold no word of the list"),
        ({}, "\n", "holds no word"),
    ],
)
def test_bad_lists(root, block, text, message):
    (root / "data/word-list/words.txt").write_text(text)
    with pytest.raises(MmclustError, match=message):
        learn("cooccurrence", root, **block)


def test_bert_reads_the_first_piece_of_the_word(tmp_path):
    """Position 4 of the last layer, all segments 1; a long word's first piece.

    What is longer than the model reads is cut.
    """
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path / "bert"
    n_words = tiny.bert_tokenizer(folder)
    config = BertConfig(
        vocab_size=n_words, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=64,
    )  # fmt: skip
    torch.manual_seed(0)
    model = BertModel(config).eval()
    model.save_pretrained(folder)
    words = ["dog", "cats", "a", "?" * 99]
    found = bert.embed_words(words, bert.Params(model=str(folder)), "cpu")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for row, word in zip(found, words, strict=True):
        pieces = tokenizer.tokenize(f"[CLS] this is a {word} [SEP]")
        # The tiny vocabulary spells "this" in letters; position 4 is position 4.
        ids = torch.tensor([tokenizer.convert_tokens_to_ids(pieces)])[:, :64]
        with torch.inference_mode():
            state = model(ids, token_type_ids=torch.ones_like(ids)).last_hidden_state
        np.testing.assert_allclose(row, state[0, 4].numpy(), atol=1e-6)


def test_clip_embeds_the_prompt(tmp_path):
    """The text features of "a photo of a dog", not normalised; long ones are cut."""
    import torch
    from transformers import AutoTokenizer, CLIPModel

    folder = tiny.clip(tmp_path / "clip")
    params = clip_text.Params(model=str(folder), library="transformers")
    found = clip_text.embed_words(["dog", "bus stop", "x" * 99], params, "cpu")
    model = CLIPModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        ids = tokenizer(["a photo of a dog"], return_tensors="pt")["input_ids"]
        expected = model.get_text_features(input_ids=ids)
    expected = getattr(expected, "pooler_output", expected)
    np.testing.assert_allclose(found[0], expected[0].numpy(), atol=1e-6)
    assert found.shape == (3, 24)


def test_sbert_embeds_the_word(tmp_path, root):
    """As sentence-transformers does; the whole model learns from it."""
    from sentence_transformers import SentenceTransformer

    folder = tiny.sbert(tmp_path / "sbert")
    found = sbert.embed_words(["dog", "bus"], sbert.Params(model=str(folder)), "cpu")
    model = SentenceTransformer(str(folder), device="cpu")
    np.testing.assert_allclose(found, model.encode(["dog", "bus"]), atol=1e-6)
    made, learned = learn("sbert", root, model=str(folder), clusters=2)
    assert learned.facts["revision"] == "local"
    assert (learned.clusters != UNKNOWN).sum(1).tolist() == [5, 5]
    assert len(made.words) == learned.clusters.shape[1]


def test_a_checkpoint_of_another_kind(tmp_path):
    folder = tiny.sbert(tmp_path / "sbert").with_name("sbert.bert")
    params = clip_text.Params(model=str(folder), library="transformers")
    with pytest.raises(MmclustError, match="no text encoder of CLIP's kind"):
        clip_text.embed_words(["dog"], params, "cpu")

"""The map of words and the gallery: what is near what, and whose pictures."""

import io
import re
from types import SimpleNamespace

import numpy as np
from PIL import Image

from mmclust.core.clusters import WordClusters
from mmclust.core.io import write_array, write_bytes, write_json
from mmclust.core.params import Params
from mmclust.report.learned import MAP, word_map
from mmclust.report.page import make_report
from tests.report.lexicon import make_words

WORDS = tuple(f"w{i}" for i in range(24))


def learner(root, clusters, counts, table):
    path = root / "data/words/m/seed_0/counts.npy"
    write_array(path, table)
    words = WordClusters(WORDS, counts, clusters[None].astype(np.int32))
    return SimpleNamespace(name="m", words=words)


def test_words_of_one_cluster_lie_together(tmp_path):
    """Two groups of words that never share a cluster; one word has none."""
    table = np.zeros((24, 4), np.int64)
    table[:12, :2] = np.random.default_rng(1).integers(5, 9, (12, 2))
    table[12:23, 2:] = np.random.default_rng(2).integers(5, 9, (11, 2))
    clusters = np.r_[np.zeros(12), np.full(11, 2), -1]
    made = learner(tmp_path, clusters, np.arange(24)[::-1] + 1, table)
    drawn = word_map(made, tmp_path, 7)
    assert (drawn["n"], drawn["size"]) == (23, MAP)
    assert [w[2] for w in drawn["words"]] == list(WORDS[:23])
    assert [w[3] for w in drawn["words"]] == list(range(24, 1, -1))
    places = np.array([w[:2] for w in drawn["words"]], float)
    far = np.linalg.norm(places[:, None] - places[None], axis=2)
    same = clusters[:23, None] == clusters[None, :23]
    nearest = (far + np.eye(23) * 1e9).argmin(axis=1)
    assert same[np.arange(23), nearest].all()
    assert ((places >= 0) & (places <= MAP)).all()
    assert word_map(made, tmp_path, 7) == drawn


def test_words_are_not_written_over_each_other(tmp_path):
    """The most frequent of words in one place is written; the others are dots."""
    table = np.zeros((24, 4), np.int64)
    table[:, 0] = 5  # all alike: all in one place
    made = learner(tmp_path, np.zeros(24), np.arange(24)[::-1] + 1, table)
    words = word_map(made, tmp_path, 7)["words"]
    assert words[0][6]
    written = [(x, y, len(word)) for x, y, word, *_, clear in words if clear]
    for i, (x, y, n) in enumerate(written):
        for across, down, letters in written[:i]:
            assert abs(x - across) >= 7.5 * (n + letters) / 2 or abs(y - down) >= 14


def test_few_words_and_models_without_counts_have_no_map(tmp_path):
    """Nothing is drawn rather than something that says nothing."""
    made = learner(tmp_path, np.full(24, -1), np.ones(24, int), np.ones((24, 4), int))
    assert word_map(made, tmp_path, 7) is None
    (tmp_path / "data/words/m/seed_0/counts.npy").unlink()
    assert word_map(made, tmp_path, 7) is None


def test_the_gallery_is_on_the_page(tmp_path, run):
    """Its pictures lie beside the page; ids and words are escaped."""
    root, params = run
    params = make_words(root, params)
    folder = root / "data/grounding/coco_words"
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "JPEG")
    write_bytes(folder / "gallery/0.jpg", buffer.getvalue())
    cluster = {"cluster": 3, "words": ["<b>dog</b>"], "output": 0.7}
    shown = {"file": "gallery/0.jpg", "image_id": "p1", "clusters": [cluster]}
    write_json(folder / "gallery.json", [shown])
    page = root / "report/index.html"
    make_report(root, params, page)
    text = page.read_text()
    (address,) = re.findall(r'<figure><img loading="lazy" src="(files/\w+\.jpg)"', text)
    assert (page.parent / address).read_bytes() == buffer.getvalue()
    assert "p1 with heat maps of cluster 3 (&lt;b&gt;dog&lt;/b&gt;)" in text
    assert Params().grounding.gallery == 6

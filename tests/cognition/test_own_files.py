"""`mmclust score categorization|concreteness|association` on a user's files."""

import json

import numpy as np
import pytest

from mmclust.core.clusters import WordClusters, write_words

YAML = """animal: {dog: 6, cat: 6, cow: 6, owl: 5}
fruit: {apple: 6, pear: 6, fig: 5, cow: 1}
tool: {saw: 6, axe: 6, hammer: 6}
"""
CLUSTERS = """word,cluster
dog,0
cat,0
cow,1
owl,3
apple,1
pear,1
saw,2
axe,2
hammer,-1
"""
NORMS = (
    "Word\tBigram\tConc.M\ndog\t0\t4.9\ncat\t0\t4.8\nidea\t0\t1.6\nhot dog\t1\t4.7\n"
)
PREDICTIONS = "word,concreteness\ndog,0.9\ncat,0.5\nunrated,0.1\n"
COUNTS = "word,count\ndog,10\ncat,2\nidea,1\nunrated,400\n"
SWOW = "forwardassociated\tcat\tdog\t12\nforwardassociated\tpear\tapple\t7\n"


@pytest.fixture
def score(tmp_path, run_mmclust):
    def run(command, **files):
        arguments = ["score", command, "--resamples", "100", "--out", "out.json"]
        for option, text in files.items():
            path = tmp_path / f"{option}.csv"
            if text is not None:
                path.write_bytes(text.encode())
            arguments += [f"--{option}", path.name]
        done = run_mmclust(*arguments, cwd=tmp_path)
        if done.returncode:
            assert "Traceback" not in done.stderr
            assert not (tmp_path / "out.json").exists()
            return done.stderr
        return json.loads((tmp_path / "out.json").read_text())

    return run


def test_categorization(score):
    """The published check values, from files."""
    found = score("categorization", clusters=CLUSTERS, categories=YAML)
    assert found["ignore_unknown_fscore"] == pytest.approx(0.7833, abs=5e-5)
    assert found["include_unknown_v_measure_score"] == pytest.approx(0.5739, abs=5e-5)
    assert (found["n_known"], found["n_unknown"], found["n_ties"]) == (8, 2, 0)
    assert "Berger" in found["definition"]


def test_categorization_within_a_word_list(score):
    """Filtered: a category may end empty; nothing left is null with a reason."""
    found = score("categorization", clusters=CLUSTERS, categories=YAML,
                  vocabulary="dog\ncat\n\napple\n")  # fmt: skip
    assert found["ignore_unknown_purity"] == 1
    assert (found["n_listed"], found["n_categories_empty"]) == (3, 1)
    assert found["include_unknown_purity"] == pytest.approx(0.8)
    found = score("categorization", clusters=CLUSTERS, categories=YAML,
                  vocabulary="kayak\n")  # fmt: skip
    assert found["ignore_unknown_purity"] is None
    assert found["ignore_unknown_purity_why"]
    assert found["n_categories_empty"] == 3


def test_concreteness(score):
    """Words with a count and a rating; a word without an estimate has 0."""
    found = score("concreteness", predictions=PREDICTIONS, norms=NORMS, counts=COUNTS)
    expected = np.mean([4.9 - 0.9, 4.8 - 0.5, 1.6])
    assert found["concreteness_prediction_mae"] == pytest.approx(expected)
    r = np.corrcoef([4.9, 4.8, 1.6], [0.9, 0.5, 0])[0, 1]
    assert found["prediction_correlation_over_0"] == pytest.approx(r)
    assert found["prediction_correlation_over_1_n"] == 2
    assert found["prediction_correlation_over_5"] is None
    assert found["prediction_correlation_over_5_n"] == 1
    assert "fewer than two" in found["prediction_correlation_over_5_why"]
    assert (found["n_words"], found["n_without_estimate"]) == (3, 1)


def test_concreteness_without_counts(score):
    """All words of the predictions alike: no score of frequent words."""
    predictions = PREDICTIONS + "idea,0.6\n"
    found = score("concreteness", predictions=predictions, norms=NORMS)
    assert found["n_words"] == 3
    r = np.corrcoef([0.9, 0.5, 0.6], [4.9, 4.8, 1.6])[0, 1]
    assert found["prediction_correlation_over_0"] == pytest.approx(r, abs=1e-6)
    assert not [key for key in found if "over_1" in key or "over_5" in key]


def test_association(score):
    found = score("association", clusters=CLUSTERS, norms=SWOW)
    assert (found["mas"], found["found"], found["not_found"]) == (9.5, 2, 3)
    assert (found["n_unknown"], found["layout"]) == (1, "relations")


def test_the_projects_own_words(tmp_path, run_mmclust):
    """A words.parquet gives all its seeds."""
    clusters = np.array([[0, 0, 1], [0, 1, -1]], np.int32)
    learned = WordClusters(
        ("cat", "dog", "saw"),
        np.array([9, 9, 9]),
        clusters,
        concreteness=clusters + 1.0,
    )
    write_words(tmp_path / "words.parquet", learned)
    for name, text in (("c.yaml", YAML), ("n.txt", NORMS), ("k.csv", COUNTS)):
        (tmp_path / name).write_text(text)
    for arguments in (
        ("categorization", "--clusters", "words.parquet", "--categories", "c.yaml"),
        ("concreteness", "--predictions", "words.parquet", "--norms", "n.txt",
         "--counts", "k.csv"),
    ):  # fmt: skip
        done = run_mmclust("score", *arguments, "--out", "out.json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / "out.json").read_text())["n_seeds"] == 2


@pytest.mark.parametrize(
    ("command", "files", "text"),
    [
        ("categorization", {"clusters": CLUSTERS + "dog,1\n", "categories": YAML},
         "has a word twice"),
        ("categorization", {"clusters": "word,cluster\ndog,\n", "categories": YAML},
         "leave out the row"),
        ("categorization", {"clusters": CLUSTERS.replace(",", ";"),
                            "categories": YAML}, "by semicolons"),
        ("categorization", {"clusters": "word,group\ndog,1\n", "categories": YAML},
         "lacks the column cluster"),
        ("categorization", {"clusters": CLUSTERS, "categories": YAML,
                            "vocabulary": "\n"}, "holds no word"),
        ("categorization", {"clusters": CLUSTERS, "categories": None}, "is missing"),
        ("concreteness", {"predictions": "word,concreteness\ndog,high\n",
                          "norms": NORMS, "counts": COUNTS}, "is not a number"),
        ("concreteness", {"predictions": PREDICTIONS, "norms": NORMS,
                          "counts": "word,count\ndog,-1\n"}, "from 0 on"),
        ("concreteness", {"predictions": PREDICTIONS, "norms": NORMS,
                          "counts": "word,count\nDOG,1\n"}, "both a count and a"),
        ("association", {"clusters": "word,cluster\n", "norms": SWOW},
         "no word to score"),
    ],
)  # fmt: skip
def test_bad_files(score, command, files, text):
    assert text in score(command, **files)


def test_words_are_taken_as_they_stand(score):
    """Nan, null and NA are words to a word model, whatever other tools make of them."""
    clusters = "word,cluster\nnan,0\nnull,0\nNA,0\n3.0,0\n"
    categories = 'person: {nan: 6}\nidea: {"null": 5, "NA": 5, "3.0": 1}\n'
    found = score("categorization", clusters=clusters, categories=categories)
    assert found["n_known"] == 4


def test_a_baseline_of_one_s_own(score):
    """Differences with intervals; over four words there is no p-value."""
    worse = "word,cluster\ndog,0\ncat,1\ncow,0\nowl,1\napple,0\npear,1\nsaw,0\naxe,1\n"
    files = {"clusters": CLUSTERS, "categories": YAML, "baseline": worse}
    found = score("categorization", **files, vocabulary="dog\ncat\ncow\napple\n")
    assert 0 < found["include_unknown_fscore_diff_p"] < 1
    gap = found["ignore_unknown_fscore_diff"]
    assert gap > 0
    assert found["ignore_unknown_fscore_diff_low"] < gap
    assert found["ignore_unknown_fscore_diff_p"] is None
    assert "at least 10" in found["ignore_unknown_fscore_diff_why"]
    alone = score("association", clusters=CLUSTERS, norms=SWOW)
    found = score("association", clusters=CLUSTERS, norms=SWOW, baseline=worse)
    assert found["mas"] == alone["mas"]
    assert found["mas_diff"] is None
    assert found["mas_diff_why"]
    flat = PREDICTIONS.replace("0.9", "0.4")
    found = score(
        "concreteness", predictions=PREDICTIONS, norms=NORMS, counts=COUNTS,
        baseline=flat,
    )  # fmt: skip
    assert found["concreteness_prediction_mae_diff"] == pytest.approx(-0.5 / 3)

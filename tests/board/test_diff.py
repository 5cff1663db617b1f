"""What moved between two sides: against arithmetic, a simulation, and as asked for."""

import csv
import io
import json
import math

import numpy as np
import pytest
from scipy.stats import t

from mmclust.board.diff import compare, interval, p_of
from mmclust.board.tables import diff_csv, diff_json, diff_markdown, verdict
from mmclust.core.errors import MmclustError
from mmclust.scoring.intervals import Sampled
from mmclust.scoring.record import Score
from mmclust.scoring.resamples import write_resamples
from tests.board.boards import SCORES, Board, git, score, scores

SUMMARY = "data/benchmarks/toy.json"


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path / "repo")


def found(diff, *kinds):
    return [(c.kind, c.score.method, c.score.metric) for c in diff.of(*kinds)]


def test_the_interval_adds_squares_of_the_arms_that_point_at_each_other():
    """Equal arms: the half-widths' root of squares; else those of Newcombe."""
    even = interval(score(0.5, half=0.03), score(0.6, half=0.04))
    assert even == pytest.approx((0.05, 0.15))
    before = Score("a", "b", "c", "acc", 0.5, low=0.48, high=0.53)
    after = Score("a", "b", "c", "acc", 0.6, low=0.56, high=0.61)
    assert interval(before, after) == pytest.approx(
        (0.1 - math.hypot(0.04, 0.03), 0.1 + math.hypot(0.01, 0.02))
    )
    assert interval(before, score(0.6, half=None)) is None


@pytest.mark.parametrize("diff", [-0.2, -0.05, 0.05, 0.2])
def test_p_is_below_a_twentieth_where_the_interval_leaves_out_zero(diff):
    for arm in (0.9, 0.999, 1.001, 1.1):
        low, high = diff - arm * abs(diff), diff + arm * abs(diff)
        assert (p_of(diff, low, high) < 0.05) == (low > 0 or high < 0)
    assert p_of(0.1, 0.1, 0.1) is None  # nothing varies
    assert p_of(9.0, 8.9, 9.1) == 1e-4  # never 0
    assert p_of(0.0, -0.1, 0.1) == 1.0


def test_sides_that_do_not_differ_are_told_apart_in_a_twentieth_of_cases():
    """Two runs of the same truth, each with its own interval; fewer where they share
    their images."""
    rng = np.random.default_rng(0)
    told = {0.0: 0, 0.8: 0}
    for shared in told:
        for _ in range(4000):
            both = rng.normal() * math.sqrt(shared)
            one, other = both + rng.normal(size=2) * math.sqrt(1 - shared)
            half = 1.959964
            low, high = interval(score(one, half=half), score(other, half=half))
            told[shared] += low > 0 or high < 0
    assert 0.04 < told[0.0] / 4000 < 0.06
    assert told[0.8] / 4000 < 0.01


def test_what_moved_is_listed_and_the_rest_is_counted(board):
    """The last commit against the workspace, which is not committed."""
    board.commit({SCORES: scores(kmeans=0.2, ward=0.5, same=0.4, gone=0.3)})
    board.write({SCORES: scores(kmeans=0.7, ward=0.55, same=0.4, new=0.6)})
    board.lock()
    diff = compare(board.root)
    assert found(diff, "moved") == [("moved", "kmeans", "acc")]
    assert verdict(diff) == (
        "1 row moved by more than its noise, 1 moved within its noise, 1 is equal, "
        "1 appeared, 1 vanished."
    )
    (change,) = diff.of("moved")
    assert (change.diff, change.low, change.high) == pytest.approx(
        (0.5, 0.5 - math.hypot(0.1, 0.1), 0.5 + math.hypot(0.1, 0.1))
    )
    text = diff_markdown(diff)
    assert "| toy | hog image kmeans | 3 | acc | 0.2000 → 0.7000 | +0.5000 |" in text
    assert "appeared: toy: hog image new" in text
    assert "vanished: toy: hog image gone" in text
    assert "ward" not in text
    assert "ward" in diff_markdown(diff, every=True)


def test_the_same_images_are_paired(board):
    """By what both keep of the same resamples, if they do; else as independent."""
    rng, kept = np.random.default_rng(0), "metrics/details/resamples/score/toy.csv"
    drawn = 0.5 + 0.05 * rng.standard_normal((100, 1))
    sides = {}
    for mean, wobble in ((0.5, 0.0), (0.53, 0.01)):
        moved = drawn + mean - 0.5 + wobble * rng.standard_normal((100, 1))
        acc = Sampled(np.array([mean]), moved, 400)
        key = ("hog", "image", "kmeans")
        write_resamples(board.root, "score", "toy", {key: {"acc": acc}}, "images")
        sides[mean] = {SCORES: [score(mean, sd=None, n_seeds=1)],
                       kept: (board.root / kept).read_bytes()}  # fmt: skip
    board.commit(sides[0.5])
    board.write(sides[0.53])
    board.lock()
    diff = compare(board.root)
    (change,) = diff.of("moved")
    lines = [side[kept].decode().splitlines()[1] for side in sides.values()]
    one, other = (np.array(line.split(",")[-1].split(), float) for line in lines)
    sd = np.std((other - one) * 1e-5, ddof=1)
    assert change.paired
    assert change.high - change.diff == pytest.approx(t.ppf(0.975, 99) * sd, rel=1e-6)
    assert change.p == pytest.approx(2 * t.sf(0.03 / sd, 99), rel=0.01)
    assert "The row is paired" in diff_markdown(diff)
    assert json.loads(diff_json(diff))["rows"][0]["paired"] is True
    board.write({kept: sides[0.53][kept].replace(b",400,", b",400,other")})
    diff = compare(board.root)
    (change,) = diff.of("within")
    assert not change.paired
    assert change.high - change.diff == pytest.approx(math.hypot(0.1, 0.1))
    (board.root / kept).unlink()
    assert compare(board.root).of("within")
    board.write({kept: b"nothing"})
    with pytest.raises(MmclustError, match="no resamples of scores"):
        compare(board.root)


def test_formats_hold_the_same(board):
    """CSV and JSON have the digits, the interval and both definitions."""
    board.commit({SCORES: [score(0.2, definition="one")]})
    board.commit({SCORES: [score(0.7, definition="two")]})
    diff = compare(board.root, "HEAD~1", "HEAD")
    (line,) = csv.DictReader(io.StringIO(diff_csv(diff)))
    assert (line["kind"], line["definition"]) == ("redefined", "one → two")
    assert (line["before"], line["after"], line["diff"]) == ("0.2", "0.7", "")
    value = json.loads(diff_json(diff))
    assert value["counts"]["redefined"] == 1
    assert value["rows"][0]["p"] is None
    assert value["base"]["name"] == "HEAD~1"


def test_headlines_unless_metrics_are_asked_for(board):
    """Of words: of known words alone, and no correlation over few of them."""
    word = "metrics/details/cognition/toy.csv"
    r = "prediction_correlation_over_10"
    both = [
        score(0.5, key=("joint", "categorization", m), metric="v_measure_score", k=None)
        for m in ("ignore_unknown", "include_unknown")
    ]
    few, many = (
        [
            score(0.5, key=(f"over {n}", "concreteness", ""), metric=r, k=None),
            score(n, key=(f"over {n}", "concreteness", ""), metric=f"{r}_n", half=None),
        ]
        for n in (29, 30)
    )
    numbers = [*scores(kmeans=0.5), score(0.5, metric="nmi"), score(0.5, metric="f1")]
    board.commit({SCORES: numbers, word: both + few + many})
    shown = {
        (c.score.encoder, c.score.method, c.score.metric)
        for c in compare(board.root).changes
    }
    assert shown == {
        ("hog", "kmeans", "acc"), ("hog", "kmeans", "nmi"),
        ("joint", "ignore_unknown", "v_measure_score"), ("over 30", "", r),
    }  # fmt: skip
    assert len(compare(board.root, metrics=["f1"]).changes) == 1
    assert len(compare(board.root, metrics=["all"]).changes) == 9


def test_numbers_without_an_interval_are_unsure(board):
    """They are listed: nothing says how much is noise. An undefined one says why."""
    mas = score(0.5, metric="mas", half=None)
    gone = Score("lsa", "", "", "mas", None, note="no pairs")
    word = "metrics/details/cognition/toy.csv"
    board.commit({word: [mas, score(0.3, key=("lsa", "", ""), metric="mas", k=None)]})
    board.write({word: [score(0.6, metric="mas", half=None), gone]})
    diff = compare(board.root)
    assert found(diff, "unsure", "undefined") == [
        ("unsure", "kmeans", "mas"),
        ("undefined", "", "mas"),
    ]
    assert "| no pairs |" in diff_markdown(diff)
    assert "1 moved and has no interval, 1 is undefined on one side" in verdict(diff)


def test_what_made_the_sides_is_told(board):
    """Code, data, params, numerics and packages; and k of the row itself."""
    params = {"model": {"k": None}, "numerics": "portable"}
    board.commit(
        {SCORES: scores(kmeans=0.5), SUMMARY: {"manifest": "a"}, "params.yaml": params,
         "src/a.py": b"1", "src/b.py": b"1", "requirements-cpu.lock": b"a==1"}
    )  # fmt: skip
    assert compare(board.root).differs == []
    board.write(
        {SCORES: [score(0.9, k=43)], SUMMARY: {"manifest": "b"},
         "params.yaml": {"model": {"k": 43}, "numerics": "fast"},
         "src/a.py": b"2", "src/new.py": b"1", "requirements-cpu.lock": b"a==2",
         "metrics/details/score/other.csv": scores(kmeans=0.5)}
    )  # fmt: skip
    board.lock()
    diff = compare(board.root)
    assert diff.differs == [
        "only the workspace has results of other (score)",
        "code differs: 2 files under src",
        "data differ: other images or captions in toy",
        "params differ: model.k: null → 43",
        "numerics differ: portable → fast",
        "packages differ: requirements-cpu.lock",
    ]
    assert diff.remarks == []
    assert diff.of("moved")[0].k == "3 → 43"
    board.write({SCORES: scores(kmeans=0.95)})
    assert (
        "dvc.lock of the workspace knows made metrics/details/score/toy.csv"
        in (compare(board.root).remarks[0])
    )


def test_sides_are_revisions_or_experiments(board):
    """Branches, tags, digits, and names of DVC's experiments."""
    base = board.commit({SCORES: scores(kmeans=0.2)})
    git(board.root, "tag", "v1")
    tried = board.experiment("bold-idea", base, {SCORES: scores(kmeans=0.7)})
    for head in ("bold-idea", tried, tried[:9]):
        diff = compare(board.root, "v1", head)
        assert found(diff, "moved") == [("moved", "kmeans", "acc")]
    assert str(compare(board.root, "main", "bold-idea").head).startswith("bold-idea (")
    assert compare(board.root, "main").counts()["equal"] == 1
    other = board.commit({SCORES: scores(kmeans=0.3)})
    board.experiment("bold-idea", other, {SCORES: scores(kmeans=0.8)})
    with pytest.raises(MmclustError, match="Several experiments are named bold-idea"):
        compare(board.root, "bold-idea")


def test_bad_input_is_one_clear_sentence(board, tmp_path):
    """What, where, expected, found; never a traceback of git."""
    (tmp_path / "plain").mkdir()
    with pytest.raises(MmclustError, match="There is no git history to read"):
        compare(tmp_path / "plain")
    board.commit({"params.yaml": {}}, lock=False)
    with pytest.raises(MmclustError, match=r"HEAD \(\w{7}\) has no record of scores"):
        compare(board.root)
    board.commit({"metrics/clustering/toy.json": {"hog": {}}}, lock=False)
    with pytest.raises(MmclustError, match="has no record of scores") as caught:
        compare(board.root)
    assert "metrics of a version before the record" in str(caught.value)
    board.commit({SCORES: scores(kmeans=0.5)})
    with pytest.raises(MmclustError, match="git knows no revision 'mian'") as caught:
        compare(board.root, "mian")
    assert "Did you mean 'main'?" in str(caught.value)
    with pytest.raises(MmclustError, match="No number is of the metric") as caught:
        compare(board.root, metrics=["acc", "ac"])
    assert "Did you mean 'acc'?" in str(caught.value)
    git(board.root, "mv", SCORES, "metrics/details/score/other.csv")
    with pytest.raises(MmclustError, match="no benchmark in common") as caught:
        compare(board.root)
    assert "other in the workspace" in str(caught.value)
    board.write({SCORES: b"encoder,acc\nhog,0.5\n"})
    with pytest.raises(MmclustError, match="no record of scores of this") as caught:
        compare(board.root)
    assert f"{SCORES} of the workspace" in str(caught.value)


def test_the_command(run_mmclust, board):
    """A table, its sentences, exit code 0; one message for what is wrong."""
    board.commit({SCORES: scores(kmeans=0.2)})
    board.write({SCORES: scores(kmeans=0.7)})
    done = run_mmclust("diff", cwd=board.root)
    assert done.returncode == 0, done.stderr
    assert "0.2000 → 0.7000" in done.stdout
    assert "1 row moved by more than its noise" in done.stdout
    assert "count as independent" in done.stdout
    for kind in ("md", "csv", "json"):
        assert "hog" in run_mmclust("diff", "-f", kind, cwd=board.root).stdout
    done = run_mmclust("diff", "nowhere", cwd=board.root)
    assert done.returncode == 1
    assert "git knows no revision 'nowhere'" in done.stderr
    assert "Traceback" not in done.stderr

"""The published visual evaluation, once more in plain loops, and by hand.

The loops follow the description of Berger et al. (NAACL 2022) step by step, on lists,
dictionaries and fractions; they share nothing with the package.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.core.types import Objects
from mmclust.grounding.boxes import assign, box_iou, match_counts, min_max
from mmclust.grounding.classes import by_cooccurrence, by_iou, class_counts
from mmclust.grounding.look import LOCAL, Seen, Truth, judge, read_gold

SIDE = 12
MAP = 3


# The description, in loops.


def counted(images):
    """Count clusters, classes and both; images are (active clusters, instances)."""
    clusters, classes, both = {}, {}, {}
    for active, instances in images:
        for cluster in active:
            clusters[cluster] = clusters.get(cluster, 0) + 1
            for name in instances:
                classes[name] = classes.get(name, 0) + 1
                both[cluster, name] = both.get((cluster, name), 0) + 1
    return clusters, classes, both


def class_of(cluster, names, counts, rule):
    """Return the class with the highest figure above 0, the first of several."""
    clusters, classes, both = counts
    best, highest = None, 0
    for name in names:
        met = both.get((cluster, name), 0)
        figure = met
        if rule == "iou" and met:
            figure = Fraction(met, clusters[cluster] + classes[name] - met)
        if figure > highest:
            best, highest = name, figure
    return best


def hits(images, names, counts, rule):
    """Return TP, FP and FN of each image's classes."""
    found = []
    for active, instances in images:
        predicted = {class_of(cluster, names, counts, rule) for cluster in active}
        predicted -= {None}
        gold = {name for name in instances if name in names}
        found.append([len(predicted & gold), len(predicted - gold),
                      len(gold - predicted)])  # fmt: skip
    return found


def overlap(one, other):
    """Intersection over union, areas without a pixel more."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (one, other)]
    return Fraction(width * height, sum(areas) - width * height)


def lists_of(matches, used, taken):
    """List, for every gold box that is free, its free predictions."""
    found = {}
    for prediction, golds in enumerate(matches):
        for gold in golds:
            if prediction not in used and gold not in taken:
                if gold not in found:
                    found[gold] = []
                found[gold].append(prediction)
    return found


def pairs_of(matches):
    """Pair by the three passes; matches are the gold boxes of each prediction."""
    pairs, used, taken = [], set(), set()

    def take(prediction, gold):
        pairs.append((prediction, gold))
        used.add(prediction)
        taken.add(gold)

    for prediction, golds in enumerate(matches):
        if len(golds) == 1 and golds[0] not in taken:
            take(prediction, golds[0])
    for gold, listed in lists_of(matches, used, taken).items():
        if len(listed) == 1 and listed[0] not in used:
            take(listed[0], gold)
    for gold, listed in lists_of(matches, used, taken).items():
        free = [prediction for prediction in listed if prediction not in used]
        if free:
            take(free[0], gold)
    return pairs


def box_hits(predicted, gold):
    """Return TP, FP and FN of an image's boxes."""
    matches = [
        [j for j, other in enumerate(gold) if overlap(one, other) >= Fraction(1, 2)]
        for one in predicted
    ]
    n_pairs = len(pairs_of(matches))
    return [n_pairs, len(predicted) - n_pairs, len(gold) - n_pairs]


def box_from(raw, factor):
    """Return the box of a map; every cell is ``factor`` pixels wide when enlarged."""
    values = [v for line in raw for v in line]
    low, high = min(values), max(values)
    if low == high:  # 0/0 is not a number, and no number is at least half of that
        return [len(raw[0]) * factor, len(raw) * factor, 0, 0]
    lit = {
        (r, c)
        for r in range(len(raw) * factor)
        for c in range(len(raw[0]) * factor)
        if 2 * (raw[r // factor][c // factor] - low) >= high - low
    }
    best = []
    for start in sorted(lit):
        piece, queue = [], [start] if start in lit else []
        lit.discard(start)
        while queue:
            r, c = queue.pop()
            piece.append((r, c))
            for near in [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
                if near in lit:
                    lit.discard(near)
                    queue.append(near)
        if len(piece) > len(best):
            best = piece
    rows, columns = [r for r, _ in best], [c for _, c in best]
    return [min(columns), min(rows), max(columns), max(rows)]


# Held against them: classes of clusters.

NAMES = ("dog", "hot dog", "cat", "cow")
SINGLE = ("dog", "cat", "cow")
PICTURES = st.lists(
    st.tuples(
        st.sets(st.integers(0, 3)),
        st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=6),
    ),
    min_size=1,
    max_size=8,
)


class Manifest:
    """As much of a manifest as gold needs."""

    benchmark, folder = "toy", "toy"

    def __init__(self, n):
        self.image_ids = [f"i{at}" for at in range(n)]

    def __len__(self):
        return len(self.image_ids)


def as_gold(pictures):
    """Return the gold of pictures by the package: names and crowds of objects."""
    each = [(f"i{at}", *o) for at, (_, objects) in enumerate(pictures) for o in objects]
    objects = Objects(
        NAMES,
        [e[0] for e in each],
        [e[1] for e in each],
        np.tile([0, 0, 1, 1], (len(each), 1)),
        np.array([e[2] for e in each], bool),
        [""] * len(each),
    )
    return read_gold(objects, Manifest(len(pictures)))


@given(PICTURES, st.data())
def test_classes_of_clusters_agree_with_plain_loops(pictures, data):
    """Both statistics, of all images and of the other half; crowds are objects."""
    gold = as_gold(pictures)
    assert gold.classes == SINGLE
    n = len(pictures)
    active = np.array([[c in p for c in range(4)] for p, _ in pictures], bool)
    half = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool)
    ours = class_counts(active, gold.instances, np.full(3, -1), half)
    images = [
        (sorted(clusters), [name for name, _ in objects if name in SINGLE])
        for clusters, objects in pictures
    ]
    for rule in ("cooccurrence", "iou"):
        expected = hits(images, SINGLE, counted(images), rule)
        assert ours[f"cluster_{rule}"].tolist() == expected
        parts = [[i for i in range(n) if half[i] == side] for side in (False, True)]
        held = {}
        for mine, other in (parts, parts[::-1]):
            counts = counted([images[i] for i in other])
            found = hits([images[i] for i in mine], SINGLE, counts, rule)
            held |= dict(zip(mine, found, strict=True))
        assert ours[f"cluster_{rule}_held_out"].tolist() == [held[i] for i in range(n)]


def test_a_cluster_is_counted_once_an_image():
    """By hand: image 0 has cluster 0, three cats, two dogs; image 1 cluster 1, a cat.

    Cluster 0 is counted once, cats four times, dogs twice: cat 3 / (1 + 4 - 3) = 3/2,
    dog 2 / (1 + 2 - 2) = 2. Counted once for each object it would be 5, and cats,
    3 / (5 + 4 - 3) = 1/2, would come before dogs, 2 / (5 + 2 - 2) = 2/5.
    """
    active = np.eye(2, dtype=bool)
    dogs_cats = np.array([[2, 3], [0, 1]])
    assert by_iou(active, dogs_cats).tolist() == [0, 1]
    assert by_cooccurrence(active, dogs_cats).tolist() == [1, 1]


def test_images_without_an_object_count_for_their_clusters():
    """By hand: cluster 0 in five images; one shows a dog and three cats, one a dog.

    Cluster 1 sees seven more cats. Dog 2 / (5 + 2 - 2) = 2/5; cat 3 / (5 + 10 - 3) =
    1/4. Without the three empty images dogs have 2/2 and cats 3/9: the same class, but
    with cluster 1 in the first image, too, other figures: cluster 1 has dog
    1 / (2 + 3 - 1) = 1/4 and cat 10 / (2 + 13 - 10) = 2.
    """
    active = np.array([[1, 0]] * 5 + [[0, 1]], bool)
    dogs_cats = np.array([[1, 3], [1, 0], [0, 0], [0, 0], [0, 0], [0, 7]])
    assert by_iou(active, dogs_cats).tolist() == [0, 1]
    active[0, 1] = True
    assert by_iou(active, dogs_cats).tolist() == [0, 1]


# Held against them: boxes.


@st.composite
def tables(draw):
    """Tables of matches, of every density."""
    p, g = draw(st.integers(0, 8)), draw(st.integers(0, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return rng.random((p, g)) < draw(st.sampled_from([0, 0.2, 0.35, 0.5, 0.8, 1]))


@given(tables())
def test_pairs_agree_with_plain_loops(matches):
    """The same pairs, in the same order."""
    golds = [np.flatnonzero(row).tolist() for row in matches]
    assert assign(matches) == pairs_of(golds)


def test_pairs_agree_with_plain_loops_on_dense_tables():
    """Eight predictions and eight gold boxes, where the order of taking matters."""
    for matches in np.random.default_rng(0).random((4000, 8, 8)) < 0.3:
        golds = [np.flatnonzero(row).tolist() for row in matches]
        assert assign(matches) == pairs_of(golds)


CORNERS = st.tuples(*[st.integers(0, 4)] * 4).map(
    lambda c: [min(c[0], c[1]), min(c[2], c[3]), max(c[0], c[1]), max(c[2], c[3])]
)
BOXES = st.lists(CORNERS, max_size=6).flatmap(
    lambda some: st.lists(st.sampled_from(some), max_size=8) if some else st.just([])
)
"""Boxes on a small grid, without area some of them, repeated others."""
PREDICTED = st.one_of(BOXES, BOXES.map(lambda some: [*some, [SIDE, SIDE, 0, 0]]))


@given(PREDICTED, BOXES)
def test_hits_of_boxes_agree_with_plain_loops(predicted, gold):
    """Equal boxes, boxes without area, inverted ones, none at all."""
    ours = match_counts(box_iou(predicted, gold) >= 0.5)
    assert list(ours) == box_hits(predicted, gold)


class Sees:
    """A network whose maps are given; enlarged, every cell is a square of pixels."""

    def __init__(self, maps):
        self.given = np.array(maps, np.float64).reshape(-1, MAP, MAP)

    def maps(self, _, clusters):
        small = min_max(self.given[clusters])
        return small, small.repeat(SIDE // MAP, axis=1).repeat(SIDE // MAP, axis=2)


@given(
    st.lists(
        st.one_of(
            st.lists(st.lists(st.integers(0, 4), min_size=MAP, max_size=MAP),
                     min_size=MAP, max_size=MAP),
            st.integers(0, 3).map(lambda value: [[value] * MAP] * MAP),
        ),
        min_size=3, max_size=3,
    ),
    st.sets(st.integers(0, 2)),
    st.lists(st.tuples(*[st.integers(0, SIDE)] * 4).map(
        lambda c: [min(c[0], c[1]), min(c[2], c[3]), max(c[0], c[1]), max(c[2], c[3])]
    ), max_size=5),
)  # fmt: skip
def test_a_picture_is_judged_as_in_plain_loops(maps, active, gold):
    """From maps to hits: flat maps among them, and pictures without active cluster."""
    run = Seen()
    indicator = np.array([c in active for c in range(3)], bool)
    judge(Sees(maps), 0, indicator, Truth(np.array(gold).reshape(-1, 4), []), run)
    predicted = [box_from(maps[c], SIDE // MAP) for c in sorted(active)]
    assert run.boxes[0].tolist() == predicted
    assert list(run.counts["box"][0]) == box_hits(predicted, gold)
    for name in LOCAL:
        tp, fp, fn = run.counts[name][0]
        assert tp + fp == len(active)
        assert tp + fn == (0 if name == "mask" else len(gold))


def test_a_flat_map_has_the_inverted_box():
    """By hand: a wrong prediction, of an active cluster alone."""
    flat, corner = np.full((MAP, MAP), 7), np.diag([1, 0, 0])
    gold = np.array([[0, 0, 3, 3], [0, 0, SIDE, SIDE]])
    both = judged([flat, corner], [True, True], gold)
    assert both.boxes[0].tolist() == [[SIDE, SIDE, 0, 0], [0, 0, 3, 3]]
    assert both.counts["box"] == [(1, 1, 1)]
    assert judged([flat, corner], [False, True], gold).counts["box"] == [(1, 0, 1)]
    none = judged([flat, corner], [False, False], gold)
    assert none.boxes[0].shape == (0, 4)
    assert none.counts == {name: [(0, 0, 2 * (name != "mask"))] for name in LOCAL}


def judged(maps, active, gold):
    run = Seen()
    judge(Sees(maps), 0, np.array(active), Truth(gold, []), run)
    return run


@pytest.mark.parametrize(
    ("matches", "pairs"),
    [
        # Two predictions with one match, the same: the first takes it.
        ([[1, 0], [1, 0]], [(0, 0)]),
        # Prediction 1 has one match; gold 1 then lists prediction 0 alone.
        ([[1, 1], [1, 0]], [(1, 0), (0, 1)]),
        # Gold 2 lists prediction 2 alone; golds 0 and 1 then go through their lists.
        ([[1, 1, 0], [1, 1, 0], [1, 1, 1]], [(2, 2), (0, 0), (1, 1)]),
        # Golds 0 and 2 list one prediction each. Gold 1 lists both, and that does not
        # change when gold 0 has taken one of them: prediction 1 is gold 2's.
        ([[1, 1, 0], [0, 1, 1]], [(0, 0), (1, 2)]),
        # Golds are named in the order 1, 2, 0 and list [0, 2], [0, 1], [1, 2]: each
        # finds a free one. Prediction by prediction, 0 takes gold 1, 1 takes gold 0,
        # and prediction 2 and gold 2 are left over.
        ([[0, 1, 1], [1, 0, 1], [1, 1, 0]], [(0, 1), (1, 2), (2, 0)]),
        # Golds 0 and 1 list the same single prediction: the one named first has it.
        ([[1, 1]], [(0, 0)]),
        ([[1, 1], [1, 1]], [(0, 0), (1, 1)]),
        (np.zeros((2, 0)), []),
        (np.zeros((0, 2)), []),
    ],
)
def test_pairs_by_hand(matches, pairs):
    """Single predictions, then single gold boxes, then gold box by gold box."""
    matches = np.array(matches, bool)
    assert assign(matches) == pairs
    golds = [np.flatnonzero(row).tolist() for row in matches]
    assert pairs_of(golds) == pairs


def test_the_outline_of_a_flat_map_is_not_drawn():
    """A picture without clusters, and one whose map is flat, look the same."""
    from mmclust.grounding.draw import _first

    rgb = np.full((20, 30, 3), 99, np.uint8)
    nothing = np.zeros((0, 4), int)
    one, other = (
        np.asarray(_first(rgb, boxes, nothing, SIDE))
        for boxes in ([], [np.array([SIDE, SIDE, 0, 0])])
    )
    np.testing.assert_array_equal(one, other)

"""The sample's norms: in the publishers' layouts, and never called human."""

import pytest

from mmclust.cognition.norms import read_categories, read_ratings, read_strengths
from mmclust.sample.norms import (
    NOTICE,
    RATINGS,
    RELATIONS,
    STRENGTHS,
    TYPICALITY,
    write_norms,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("norms")
    write_norms(out, 782)
    return out


def test_they_say_what_they_are(folder):
    assert "not human" in NOTICE
    assert (folder / "README.txt").read_text().startswith(NOTICE)
    assert (folder / TYPICALITY).read_text().startswith(f"# {NOTICE}\n")


def test_the_readers_of_the_published_files_read_them(folder):
    """Twelve categories; bigrams and CRLF; both layouts have the same pairs."""
    categories = read_categories(folder / TYPICALITY)
    assert categories.n_categories == 12
    assert categories.words["puppy"] == "animal"
    assert len(categories.words) > 150
    ratings = read_ratings(folder / RATINGS)
    assert ratings.n_bigrams > 20
    assert (folder / RATINGS).read_bytes().count(b"\r\n") == len(ratings.words) + 1
    words = sorted(categories.words)
    forward = read_strengths(folder / RELATIONS, words, "forward_only")
    strengths = read_strengths(folder / STRENGTHS, words)
    assert forward.pairs.tolist() == strengths.pairs.tolist()
    assert forward.strengths.tolist() == strengths.strengths.tolist()
    assert strengths.facts["n_rows_missing"] > 0


def test_the_rules_hold(folder):
    """Things are concrete, words of grammar are not; a dog and a puppy go together."""
    ratings = read_ratings(folder / RATINGS).words
    assert min(ratings[w] for w in ("dog", "dogs", "kite", "fire hydrant")) > 4.5
    assert max(ratings[w] for w in ("the", "a", "of")) < 2
    found = read_strengths(folder / STRENGTHS, ["dog", "puppy"])
    assert found.strengths.tolist() == [30 + 25]


def test_another_seed_draws_other_ratings(folder, tmp_path):
    write_norms(tmp_path, 783)
    assert (tmp_path / RATINGS).read_bytes() != (folder / RATINGS).read_bytes()
    assert (tmp_path / RELATIONS).read_bytes() == (folder / RELATIONS).read_bytes()

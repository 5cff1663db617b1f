"""Typicality files: one category per word, and what is refused."""

import pytest
import yaml

from mmclust.cognition.norms import read_categories
from mmclust.core.errors import MmclustError
from tests.cognition.real import NORMS, real

TEXT = """--- 
reptile: 
  turtle: 5.7
  newt: 3.0
pet: 
  turtle: 5.7
  cat: 6.1
  newt: 2.9
animal: 
  cat: 6.4
  no: 1.5
  sea  lion: 4
  null: 2.0
"""  # noqa: W291 (as published)


def write(tmp_path, text):
    path = tmp_path / "typicality.yaml"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_highest_rating_wins_and_ties_go_to_the_first(tmp_path, ends):
    """A tie goes to the category that comes first; words are text, whatever YAML."""
    found = read_categories(write(tmp_path, TEXT.replace("\n", ends)))
    assert found.words == {
        "turtle": "reptile", "newt": "reptile", "cat": "animal", "no": "animal",
        "sea  lion": "animal", "null": "animal",
    }  # fmt: skip
    assert (found.n_categories, found.n_ratings, found.n_ties) == (3, 9, 1)


def test_missing_ratings_are_left_out_and_counted(tmp_path):
    """Nothing, null and NaN are no ratings; a category may end empty."""
    text = "a:\n  x: 1\n  y:\n  z: ~\nb:\n  x: .nan\n  w: null\nc:\n"
    found = read_categories(write(tmp_path, text))
    assert found.words == {"x": "a"}
    assert (found.n_categories, found.n_missing) == (3, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  x: 1\n  x: 2\n", "line 3[\\s\\S]*'x' twice"),
        ("a:\n  x: 1\na:\n  y: 2\n", "line 3[\\s\\S]*'a' twice"),
        ("a:\n  x: high\n", "a rating that is not a number"),
        ("a:\n  x: .inf\n", "a rating that is not a number"),
        ("a:\n  x: [1]\n", "a rating that is not a number"),
        ("Word,Category,Rating\nx,a,1\n", "is not a typicality file"),
        ("- x\n- y\n", "is not a typicality file"),
        ("a:\n  - x\n", "is not a typicality file"),
        ("a:\n  x: 1\n  'x ': 2\n", "a name twice"),
        ("a: {x: 1\n", "line 2[\\s\\S]*did not find"),
        ("a: &a {x: *a}\n", r"\*a"),
        ("a: &a [x, x]\n" + "b: [*a" + ", *a" * 9999 + "]\n", "repeat more"),
        ("a:\n", "is not a typicality file"),
        ("", "is not a typicality file"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(MmclustError, match=message):
        read_categories(write(tmp_path, text))


def test_not_utf8_and_not_there(tmp_path):
    path = tmp_path / "x.yaml"
    with pytest.raises(MmclustError, match="is missing"):
        read_categories(path)
    path.write_bytes(b"a:\n  caf\xe9: 1\n")
    with pytest.raises(MmclustError, match=r"line 2[\s\S]*byte 0xe9"):
        read_categories(path)


@real
def test_the_published_excerpt():
    """The same as a plain reading of the public file's excerpt."""
    path = NORMS / "mcrae_typicality_excerpt.yaml"
    content = yaml.safe_load(path.read_text())
    best = {}
    for category, words in content.items():
        for word, rating in words.items():
            if word not in best or rating > best[word][0]:
                best[word] = (rating, category)
    found = read_categories(path)
    assert found.words == {word: category for word, (_, category) in best.items()}
    assert found.n_categories == 8

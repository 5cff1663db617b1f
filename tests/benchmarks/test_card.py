"""The data card: what people and the hub read."""

from __future__ import annotations

import io
import re

import pytest
import yaml
from PIL import Image

from mmclust.benchmarks._build import build_benchmark
from mmclust.core.errors import MmclustError
from tests.benchmarks.toy_pictures import NAME, install, jpeg, picture

REGISTRY = """
toys:
  title: Toys | of a test
  homepage: https://example.org/toys
  licence: Free <for> all.
  citation: A. Nobody. Toys. 2020.
  files: {toys.zip: {url: https://example.org/toys.zip}}
"""


@pytest.fixture
def card(tmp_path, monkeypatch):
    """Build, and return the card's text."""

    def build(registry=REGISTRY, images=True, **options):
        install(monkeypatch, **options)
        path = None
        if registry:
            path = tmp_path / "sources.yaml"
            path.write_text(registry)
        out = tmp_path / "out"
        build_benchmark(NAME, tmp_path / "raw", out, images=images, registry=path)
        return (out / "README.md").read_text(encoding="utf-8")

    return build


def front_matter(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_it_says_what_is_there(card):
    """Counts, roles, what was dropped, digests, licence and citation."""
    text = card(splits={"p5": "test"})
    for line in (
        "Toy pictures: coloured | clouds.",
        "They are made by a test.",
        "| images | 6 |",
        "| captions | 12 (2 to 2 an image, mean 2) |",
        "| train | 5 | fitted on, clustered and scored |",
        "| test | 1 | fitted on, clustered and scored |",
        "| a | 3 |",
        "- dropped: x\\|y: 1",
        "| list.txt | `00` |",
        "- Toys \\| of a test, <https://example.org/toys>",
        "Free &lt;for> all.",
        "> A. Nobody. Toys. 2020.",
        "not compared: the benchmark has no published counts",
        "![Some of its pictures](thumbnails.jpg)",
    ):
        assert line in text
    assert front_matter(text) == {
        "pretty_name": NAME,
        "license": "other",
        "license_name": "see-below",
        "task_categories": ["image-classification", "image-to-text"],
        "size_categories": ["n<1K"],
        "tags": ["clustering", "mmclust"],
    }


def test_it_is_the_same_every_time_and_names_no_place(card, tmp_path):
    """No date, no path."""
    text = card()
    assert card() == text
    assert str(tmp_path) not in text
    assert not re.search(r"\b20[2-9]\d-\d\d", text)


def test_without_registry_labels_and_captions(card):
    """What is not known is not made up."""
    text = card(registry=None, labels={}, captions=())
    assert "Not known here; see its publisher." in text
    assert "## Classes\n\nIt has none." in text
    assert front_matter(text)["license"] == "unknown"
    assert "task_categories" not in front_matter(text)
    other = card(registry=REGISTRY.replace("toys:", "other:"))
    assert "Not known here; see its publisher." in other


def test_a_broken_registry_is_refused(card):
    """It is read for licences, as strictly as for fetching; half of one is none."""
    with pytest.raises(MmclustError, match=r"sources\.yaml is not valid YAML"):
        card(registry="toys: [")
    with pytest.raises(MmclustError, match=r"toys\.licensce[\s\S]*the key 'licensce'"):
        card(registry=REGISTRY.replace("licence", "licensce"))


def test_the_sample_says_that_it_is_one(card, tmp_path):
    """Its card can be mistaken for no publisher's."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/source.json").write_text('{"mirror": "sample"}')
    text = card()
    assert "> **Built from the built-in sample.**" in text
    assert "none of which is in this build" in text


def test_hidden_classes_stay_hidden(card, tmp_path):
    """Neither ids nor pictures are tied to a class."""
    text = card(hidden={"p1": "b"}, files={"twin": jpeg(picture(1))})
    assert "p1" not in text.partition("## Duplicates")[0]
    assert "p1" not in text.partition("## Duplicates")[2]


def test_the_strip_is_a_jpeg_of_twelve_squares_at_most(card, tmp_path):
    """Pictures that do not decode are passed over; none without images."""
    card(files={f"bad{i}": b"no picture" for i in range(3)})
    with Image.open(tmp_path / "out/thumbnails.jpg") as strip:
        assert strip.size == (6 * 96, 96)
    card(files={f"q{i}": jpeg(picture(i + 50)) for i in range(20)})
    data = (tmp_path / "out/thumbnails.jpg").read_bytes()
    assert Image.open(io.BytesIO(data)).size == (12 * 96, 96)
    text = card(images=False)
    assert not (tmp_path / "out/thumbnails.jpg").exists()
    assert "thumbnails" not in text
    assert "## Duplicates" not in text

"""Panels: which there are, how they are coloured, the same bytes, and bad input."""

import re
import shutil

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.features import normalised
from mmclust.core.io import read_json, write_json
from mmclust.core.plugins import load
from mmclust.core.types import HeadInputs
from mmclust.heads import _panels as module
from mmclust.heads._networks import outputs_of
from mmclust.heads._panels import PALETTE, colour, draw_panels
from mmclust.heads._saved import save_head
from mmclust.heads._stage import train_seeds


@pytest.fixture(scope="module", params=["tac", "dxmc"])
def trained(request, tmp_path_factory):
    rng = np.random.default_rng(0)
    rows = normalised(rng.standard_normal((90, 8)).astype(np.float32))
    plugin = load("heads", request.param)
    small = {"instance_dim": 8, "instance_hidden": 8} if request.param == "dxmc" else {}
    params = plugin.Params(epochs=2, batch=30, hidden=8, n_neighbors=5, **small)
    heads = train_seeds(plugin, params, HeadInputs(rows, rows[::-1]), 3, [1])
    folder = tmp_path_factory.mktemp(request.param)
    save_head(folder, heads, {"head": request.param, "dim": 8, "encoder": None})
    return request.param, folder, rows, heads[0].weights


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "ITERATIONS", 250)


def test_the_panels_and_their_colours(trained, tmp_path):
    """DXMC has four, TAC no instance head; every image once in each."""
    head, folder, rows, weights = trained
    out = tmp_path / "p.svg"
    assert draw_panels(folder, rows, rows[::-1], out) == 90
    svg = out.read_text()
    titles = re.findall(r"<text [^>]*>([^<]+)<", svg)
    wanted = ["Image features", "Concatenation with text counterparts",
              "Image instance head", "Image cluster head"]  # fmt: skip
    assert titles == [t for t in wanted if head == "dxmc" or "instance" not in t]
    assert svg.count("<circle") == 90 * len(titles)
    outputs = outputs_of(weights, rows, "image")
    sizes = np.bincount(outputs.argmax(1), minlength=3)
    for cluster, size in enumerate(sizes):
        groups = re.findall(f'<g fill="{PALETTE[cluster]}">(.*?)</g>', svg)
        assert [g.count("<circle") for g in groups] == [size] * len(titles) * bool(size)
    assert 'width="576pt"' in svg
    draw_panels(folder, rows, rows[::-1], tmp_path / "q.svg")
    assert (tmp_path / "q.svg").read_text() == svg


def test_png_and_fewer_points(trained, tmp_path):
    """A picture of the same figure; without counterparts a panel less."""
    _, folder, rows, _ = trained
    assert draw_panels(folder, rows, None, tmp_path / "p.png", points=60) == 60
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_head_under_a_name_of_ones_own(trained, tmp_path):
    """Its plugin is what the record says it is."""
    head, folder, rows, _ = trained
    facts = read_json(folder / "head.json") | {"head": "mine", "is": head}
    own = shutil.copytree(folder, tmp_path / "own")
    write_json(own / "head.json", facts)
    assert draw_panels(own, rows, None, tmp_path / "p.svg") == 90


def test_what_cannot_be_drawn(trained, tmp_path):
    _, folder, rows, _ = trained
    for arguments, message in (
        ((folder, rows, None, tmp_path / "p.eps"), "PNG or SVG"),
        ((folder, rows[:20], None, tmp_path / "p.svg"), "perplexity 20 needs more"),
        ((folder, rows[:, :4], None, tmp_path / "p.svg"), "not embedded in the same"),
        ((tmp_path, rows, None, tmp_path / "p.svg"), "head.json is missing"),
    ):
        with pytest.raises(MmclustError, match=message):
            draw_panels(*arguments)
    assert list(tmp_path.iterdir()) == []


def test_colours_beyond_the_figures():
    """Any number of clusters; the first fifteen are the figure's."""
    assert [colour(0), colour(9), colour(14)] == ["#ECAAD7", "#A078C8", "#FF9999"]
    many = [colour(i) for i in range(60)]
    assert len(set(many)) == 60
    assert all(re.fullmatch("#[0-9A-F]{6}", each) for each in many)

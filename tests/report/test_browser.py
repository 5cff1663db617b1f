"""The page in a real browser: mouse, keys, filters, and what it never does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from mmclust.report.page import make_report

_spec = importlib.util.spec_from_file_location(
    "report_browser", Path(__file__).with_name("browser.py")
)
browser = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(browser)

pytestmark = pytest.mark.skipif(browser.find() is None, reason="no Chromium")
STATUS = "document.querySelector('[role=status]').textContent"
SHIFT = 8


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page of 24 images, open and ready; each test starts at its top."""
    root = tmp_path_factory.mktemp("page")
    from tests.report import conftest as toy

    params = toy.make_run(root, toy.Fake())
    make_report(root, params, root / "report/index.html")
    with browser.Browser(root / "profile") as opened:
        opened.page = root / "report/index.html"
        opened.open(opened.page)
        opened.run("document.querySelector('#toy').scrollIntoView()")
        opened.wait("document.querySelector('#toy[data-ready]')")
        yield opened
        assert opened.log == []
        assert all(a.startswith("file:") for a in opened.asked)


def test_maps_are_drawn_and_pointing_tells_of_an_image(page):
    """Three canvases; a point under the mouse shows a picture and its captions."""
    drawn = page.run("[...document.querySelectorAll('canvas')].map(c => c.width)")
    assert len(drawn) == 3
    assert min(drawn) > 100
    at = page.spot("canvas")
    for step in range(0, 200, 8):  # the middle is not always near a point
        page.mouse("mouseMoved", at[0] - 100 + step, at[1] - 100 + step)
        if page.run("document.querySelector('.hover li') !== null"):
            break
    page.wait("document.querySelector('.hover img.tile')?.complete")
    assert "cluster c" in page.run("document.querySelector('.hover b').textContent")


def test_keys_walk_the_map_zoom_it_and_go_to_the_cluster(page):
    """Arrows choose images, + zooms, Enter filters the gallery by its cluster."""
    page.run("document.querySelector('canvas').focus()")
    page.key("ArrowRight")
    first = page.run("document.querySelector('.hover b').firstChild.data")
    for name in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
        page.key(name)
    page.key("+")
    page.key("ArrowRight", SHIFT)
    page.key("0")
    assert " · " in first
    page.key("Enter")
    assert "cluster c" in page.run(STATUS)
    page.click("form.filter [type=reset]")
    assert page.run(STATUS) == ""


def test_a_number_of_the_matrix_filters_the_gallery(page):
    """By a click and by the keyboard; the count is the matrix's own."""
    count = page.run("document.querySelector('.confusion button').textContent")
    page.click(".confusion button")
    assert page.run(STATUS).startswith(f"{count} image")
    shown = "[...document.querySelectorAll('details.cluster:not([hidden])')]"
    assert page.run(f"{shown}.length") == 1
    page.wait("document.querySelector('.cards img.tile')")
    page.run("document.querySelector('.confusion button').focus()")
    page.key("ArrowDown")
    page.key("Enter")
    moved = page.run("document.querySelector('.confusion [aria-pressed=true]').title")
    told = page.run(STATUS)
    assert moved.split(" in ")[0] in told
    assert told.split(" ")[0] in moved
    page.click("form.filter [type=reset]")
    assert page.run(f"{shown}.length") == 3


def test_the_gallery_is_sorted_and_grows_when_asked(page):
    """Three pictures of each cluster at first, all of them after a click."""
    page.spot("details.cluster .cards")
    page.wait("document.querySelectorAll('details.cluster .card').length >= 3")
    cards = "document.querySelector('.cards').childElementCount"
    assert page.run(cards) == 3
    page.click(".more")
    size = page.run("document.querySelector('.cluster .stat').textContent")
    assert page.run(cards) == int(size.split()[0])


def test_captions_with_markup_are_text_and_keep_their_direction(page):
    """No element comes out of a caption; Arabic runs from right to left."""
    page.run("document.querySelectorAll('.more').forEach(b => b.click())")
    for i in range(3):
        page.spot(f"details.cluster:nth-of-type({i + 1})")
    page.run("document.querySelectorAll('.more').forEach(b => b.click())")
    page.wait("[...document.querySelectorAll('figcaption')]"
              ".some(c => c.textContent.includes('كلب'))")  # fmt: skip
    arabic = ("getComputedStyle([...document.querySelectorAll('figcaption')]"
              ".find(c => c.textContent.includes('كلب'))).direction")  # fmt: skip
    assert page.run(arabic) == "rtl"
    assert page.run("document.querySelectorAll('.card b, .card script').length") == 0


def test_colours_and_legend(page):
    """Each way to colour has names that can be singled out."""
    for by, names in (
        ("class", {"cat", "traffic light", "zebra"}),
        ("correct", {"right", "wrong"}),
    ):
        page.click(f"input[value={by}]")
        legend = "[...document.querySelectorAll('.legend button')]"
        assert set(page.run(f"{legend}.map(b => b.textContent)")) == names
    page.click(".legend button")
    pressed = "document.querySelectorAll('.legend [aria-pressed=true]').length"
    assert page.run(pressed) == 1


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_nothing_is_wider_than_the_screen(page, width):
    """Tables scroll inside themselves; the page does not, at any width."""
    page.size(width)
    assert page.run("document.documentElement.scrollWidth") <= width
    page.size(1280)


def test_scores_are_whole_on_a_phone(page):
    """Each row is a card: no score lies beyond the edge of its table."""
    page.size(390)
    beyond = page.run("""[...document.querySelectorAll(".scores td")].filter(e =>
        e.offsetParent && e.getBoundingClientRect().right > 390).length""")
    told = page.run("""getComputedStyle(document.querySelector(".scores td.number"),
        "::before").content""")
    page.size(1280)
    assert beyond == 0
    assert "ACC" in told


def test_scores_sort_by_number(page):
    """A click on ACC puts the highest mean first, another the lowest."""
    means = ("[...document.querySelectorAll('.scores tbody tr')].slice(0, 13)"
             ".map(r => Number(r.querySelector('.number').dataset.value))")  # fmt: skip
    for sign in (-1, 1):
        page.click("th.number button")
        found = page.run(means)
        assert len(found) == 13
        assert found == sorted(found, key=lambda mean, sign=sign: sign * mean)


def test_every_control_has_a_name_and_every_picture_an_alt(page):
    """What a screen reader says of controls, canvases and pictures is not empty."""
    nameless = page.run("""[...document.querySelectorAll(
        "button, canvas, select, input, [role=region]")].filter(e =>
        !(e.ariaLabel || e.textContent.trim() || e.closest("label"))).length""")
    assert nameless == 0
    assert page.run("document.querySelectorAll('img:not([alt])').length") == 0


def test_it_prints(page):
    """A PDF comes out, without the controls."""
    assert page.pdf().startswith(b"%PDF")


def test_without_its_files_the_page_says_so(page, tmp_path):
    """A page that was moved alone names what it misses."""
    alone = tmp_path / "index.html"
    alone.write_bytes(page.page.read_bytes())
    with browser.Browser(tmp_path / "profile") as opened:
        opened.open(alone)
        opened.run("document.querySelector('#toy').scrollIntoView()")
        opened.wait("document.querySelector('[data-missing]').offsetHeight")


def test_word_clusters_are_filtered_and_fit_a_phone(tmp_path):
    """Typing leaves clusters that hold the letters; markup stays text."""
    from tests.report import conftest as toy
    from tests.report.lexicon import make_words

    params = make_words(tmp_path, toy.make_run(tmp_path, toy.Fake()))
    make_report(tmp_path, params, tmp_path / "index.html")
    with browser.Browser(tmp_path / "profile") as opened:
        opened.open(tmp_path / "index.html")
        shown = "[...document.querySelectorAll('.clusters tr')].filter(r => !r.hidden)"
        assert opened.run(f"{shown}.length") == 6  # two heads, twice two clusters
        opened.run("document.querySelector('input[type=search]').focus()")
        for letter in "<I>":
            opened.key(letter)
        assert opened.run(f"{shown}.length") == 4
        hit = "document.querySelector('.hit').firstChild.data.trim()"
        assert opened.run(hit) == "<i>sofa</i>"
        assert opened.run("document.querySelectorAll('#word-learning i').length") == 0
        opened.media("dark")
        opened.size(390)
        assert opened.run("document.documentElement.scrollWidth") <= 390
        assert opened.log == []

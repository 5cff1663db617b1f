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
STATUS = "document.querySelector('[data-status]').textContent"
LOOK = "document.querySelector('#toy')"
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
    for step in range(625):  # the middle is not always near a point
        page.mouse(
            "mouseMoved", at[0] - 96 + step % 25 * 8, at[1] - 96 + step // 25 * 8
        )
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


def choose(page, name, value):
    """Choose from a menu of the section, as a hand does."""
    page.run(f"""(() => {{
        const field = document.querySelector("#toy select[name={name}]");
        field.value = {value!r};
        field.dispatchEvent(new Event("change", {{bubbles: true}}));
    }})()""")


def test_a_number_of_the_matrix_filters_the_gallery(page):
    """By a click and by the keyboard; the count is the matrix's own."""
    page.click(".matrix summary")
    page.wait("document.querySelector('.confusion button')")
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


def test_another_method_changes_map_matrix_and_gallery(page):
    """Its clusters, its matches and its confidence take the place of the first's."""
    names = "[...document.querySelectorAll('.confusion thead span')].map(s => s.title)"
    common = "[...document.querySelectorAll('.commonest')].map(s => s.textContent)"
    sizes = f"{common}.join() + {names}"
    before = page.run(sizes)
    tac = ("[...document.querySelector('#toy select').options]"
           ".find(o => /tac/.test(o.text)).value")  # fmt: skip
    choose(page, "method", page.run(tac))
    order = "document.querySelector('[data-order]').textContent"
    page.wait(f"{order}.includes('tac on image')")
    assert page.run(sizes) != before
    assert "surest of come first" in page.run(
        "document.querySelector('[data-order]').textContent")  # fmt: skip
    legend = "document.querySelector('[data-by][value=sure] + span').textContent"
    assert page.run(legend) == "confidence"
    choose(page, "method", "1" if page.run(tac) == "0" else "0")
    page.wait("!document.querySelector('[data-order]').textContent.includes('tac')")


def test_two_methods_are_compared_image_by_image(page):
    """As many images changed as a matching by hand counts; both filter to them."""
    tac = page.run("[...document.querySelector('#toy select').options]"
                   ".find(o => /tac/.test(o.text)).value")  # fmt: skip
    choose(page, "other", tac)
    told = "document.querySelector('[data-compared]').textContent"
    page.wait(f"{told} !== ''")
    moved, both = (int(word) for word in page.run(told).split() if word.isdigit())
    assert (moved > 0, both) == (True, 24)
    choose(page, "changed", "1")
    assert page.run(STATUS).startswith(f"{moved} image")
    page.wait("document.querySelector('.card .moved')")
    cut = """[...document.querySelectorAll(".moved")].filter(e => e.scrollWidth >
        e.clientWidth || e.offsetTop + e.offsetHeight > e.parentNode.offsetTop
        + e.parentNode.offsetHeight).length"""
    assert page.run(cut) == 0
    choose(page, "changed", "0")
    assert page.run(STATUS).startswith(f"{24 - moved} image")
    page.click("input[value=changed]")
    names = "[...document.querySelectorAll('.legend button')].map(b => b.textContent)"
    assert set(page.run(names)) == {"same cluster", "changed cluster"}
    choose(page, "other", "")
    page.wait(f"{told} === ''")
    assert page.run(STATUS) == ""


def test_the_lasso_selects_and_the_list_is_a_csv(page):
    """Around everything: all points of the map; by V: what is visible; then a file."""
    page.click("[data-lasso]")
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)]
    first = page.spot("canvas", *corners[0])
    page.mouse("mouseMoved", *first)
    page.mouse("mousePressed", *first, button="left", clickCount=1)
    for corner in corners[1:]:
        spot = page.spot("canvas", *corner)
        page.mouse("mouseMoved", *spot, button="left", buttons=1)
    page.mouse("mouseReleased", *spot, button="left", clickCount=1)
    assert page.run(STATUS).startswith("20 images: selected on the map (20)")
    page.click("[data-lasso]")
    page.run("""window.made = null; URL.createObjectURL = (blob) => {
        blob.text().then((text) => { window.made = text; }); return "#"; }""")
    page.run("HTMLAnchorElement.prototype.click = () => {}")
    page.click("[data-csv]")
    page.wait("window.made")
    lines = page.run("window.made").splitlines()
    assert lines[0] == "image_id,class,cluster,cluster_is_of_class,right,caption"
    assert len(lines) == 21
    assert len({line.split(",")[0] for line in lines[1:]}) == 20
    page.click("form.filter [type=reset]")
    page.run("document.querySelector('canvas').focus()")
    for _ in range(4):
        page.key("+")
    page.key("v")
    some = int(page.run(STATUS).split()[0] or 0) if page.run(STATUS) else 0
    assert some < 20
    page.key("0")
    page.click("[data-visible]")
    assert page.run(STATUS).startswith("20 images")
    page.click("form.filter [type=reset]")


def test_search_in_captions(page):
    """Letters leave the images whose captions hold them; none are left by nonsense."""
    page.run("document.querySelector('#toy input[type=search]').focus()")
    for letter in "zebra":
        page.key(letter)
    page.wait(f"{STATUS}.includes('zebra')")
    count = int(page.run(STATUS).split()[0])
    assert 0 < count < 24
    page.key("q")
    page.wait(f"{STATUS}.startsWith('0 images')")
    page.click("form.filter [type=reset]")
    assert page.run(STATUS) == ""


def test_the_gallery_is_sorted_and_grows_when_asked(page):
    """Three pictures of each open cluster at first, all of them after a click."""
    page.spot("details.cluster .cards")
    page.wait("document.querySelectorAll('details.cluster .card').length >= 3")
    cards = "document.querySelector('.cards').childElementCount"
    assert page.run(cards) == 3
    page.click(".more")
    size = page.run("document.querySelector('.cluster .stat').textContent")
    assert page.run(cards) == int(size.split()[0])


def test_captions_with_markup_are_text_and_keep_their_direction(page):
    """No element comes out of a caption; Arabic runs from right to left."""
    page.run("document.querySelectorAll('.cluster').forEach(d => { d.open = true; })")
    for i in range(3):
        page.spot(f"details.cluster:nth-of-type({i + 1}) .cards")
        page.wait(f"document.querySelectorAll('.cards')[{i}].childElementCount")
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
        ("right", {"right", "wrong"}),
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
    means = ("[...document.querySelectorAll('.scores tbody.method tr')]"
             ".map(r => Number(r.querySelector('.number').dataset.value))")  # fmt: skip
    for sign in (-1, 1):
        page.click("th.number button")
        found = page.run(means)
        assert len(found) == 4
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
        box = "#word-learning input[type=search]"
        opened.run(f"document.querySelector('{box}').focus()")
        for letter in "<I>":
            opened.key(letter)
        assert opened.run(f"{shown}.length") == 4
        hit = "document.querySelector('.hit').firstChild.data.trim()"
        assert opened.run(hit) == "<i>sofa</i>"
        assert opened.run("document.querySelectorAll('#word-learning i').length") == 0
        opened.media("dark")
        opened.size(390)
        assert opened.run("document.documentElement.scrollWidth") <= 390
        beyond = opened.run("""[...document.querySelectorAll(".words td")].filter(e =>
            e.checkVisibility() && e.getBoundingClientRect().right > 390).length""")
        assert beyond == 0
        assert opened.log == []

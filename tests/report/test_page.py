"""The whole page: made, repeatable, self-contained, and safe to open."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table, write_table
from mmclust.report.page import make_report

ARABIC = "كلب أسود يركض في الحديقة"


class Page(HTMLParser):
    """Collects elements, visible text and what the page would load."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.loads, self.texts, self.data, self.inside = [], [], [], [], ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.inside = tag
        self.tags.append((tag, named))
        self.loads += [named[a] for a in ("src", "href", "srcset") if named.get(a)]

    def handle_endtag(self, _):
        self.inside = ""

    def handle_data(self, text):
        if self.inside == "script":
            self.data.append(text)
        elif self.inside != "style":
            self.texts.append(text)

    @property
    def map(self):
        return json.loads(next(d for d in self.data if d.lstrip().startswith("{")))


def test_page_holds_every_part_of_a_run(run):
    """Scores, curves, maps, confusion, clusters, contact sheet and provenance."""
    root, params = run
    make_report(root, params, root / "report/index.html")
    page = Page(root / "report/index.html")
    heads = re.findall(
        r"<h[23]>(.*?)</h[23]>", (root / "report/index.html").read_text()
    )
    assert heads == [
        "toy",
        "Scores",
        "Scores without labels",
        "Scores over k",
        "Maps",
        "Classes and clusters",
        "The clusters, largest first",
        "Contact sheet",
        "Where it all comes from",
    ]
    text = " ".join(" ".join(page.texts).split())
    for expected in ("not a git checkout", "n_resamples: 1000", "ab" * 32, "traffic"):
        assert expected in text
    for expected in (
        "not compared: the source is the built-in sample",
        "tac head",
        "Δ −0.004, p 0.001",
        "−0.020 to 0.012",
        "p seeds < 0.001",
        "−0.039",
        "keywords <b>paw</b>, fur",
        "nouns street light",
    ):
        assert expected in text.replace("\xa0", " ")
    assert not re.search(r"\d–\d", text)
    # Three clusters of at most three pictures, and all 24 images on the sheet.
    assert sum(tag == "img" for tag, _ in page.tags) == 3 * 3 + 24


def test_page_is_the_same_twice_and_at_any_number_of_workers(run):
    """Equal inputs give equal bytes."""
    root, params = run
    pages = [root / f"{i}.html" for i in range(3)]
    for page, workers in zip(pages, (1, 1, 2), strict=True):
        make_report(root, params, page, workers=workers)
    first, second, parallel = (page.read_bytes() for page in pages)
    assert first == second
    assert first == parallel


def test_page_loads_nothing(run):
    """Every address on the page is inside it; the policy forbids the rest."""
    root, params = run
    make_report(root, params, root / "index.html")
    page = Page(root / "index.html")
    assert len(page.loads) > 20
    assert [a for a in page.loads if not a.startswith(("data:", "#"))] == []
    assert "url(" not in (root / "index.html").read_text()
    policy = [a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a]
    assert policy[0].startswith("default-src 'none'; img-src data:;")


def test_captions_are_text_in_any_script(run):
    """Markup in captions and names is shown, not obeyed; Arabic arrives whole."""
    root, params = run
    make_report(root, params, root / "index.html")
    source = (root / "index.html").read_text(encoding="utf-8")
    page = Page(root / "index.html")
    assert "<script>alert" not in source
    assert "<i>cow" not in source
    assert "<b>paw" not in source
    tags = [tag for tag, _ in page.tags]
    assert tags.count("script") == 2  # the data of one map, and page.js
    titles = [a.get("title", "") or "" for _, a in page.tags]
    assert any("a <b>bold</b> & <script>alert('x')</script> dog" in t for t in titles)
    assert any(ARABIC in title for title in titles)
    shown = dict(zip(page.map["id"], page.map["caption"], strict=True))
    assert shown.get("00001", ARABIC) == ARABIC
    captions = [a for t, a in page.tags if t == "figcaption" and "title" in a]
    assert captions
    assert all(a["dir"] == "auto" for a in captions)


def test_one_cluster(tmp_path, make):
    """A run with a single cluster and class has a page like any other."""
    params = make(tmp_path, n=6, classes=1, n_clusters=1, sweep=(1,))
    make_report(tmp_path, params, tmp_path / "index.html")
    page = Page(tmp_path / "index.html")
    assert page.map["classes"] == ["cat"]
    assert "purity 1.00" in " ".join(page.texts)


def test_images_without_text(tmp_path, make):
    """A benchmark of images alone gets one map and names its one view."""
    params = make(tmp_path, views=("image",))
    make_report(tmp_path, params, tmp_path / "index.html")
    page = Page(tmp_path / "index.html")
    assert list(page.map["views"]) == ["image"]
    assert "image + text" not in "".join(page.texts).split("Maps")[1]
    assert "kmeans on the miniclip features of image" in "".join(page.texts)


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_images_for_a_map(tmp_path, make, n):
    """One or two images have no map, and the page says so."""
    params = make(tmp_path, n=n, classes=1, n_clusters=1)
    make_report(tmp_path, params, tmp_path / "index.html")
    assert "too few images for a map" in (tmp_path / "index.html").read_text()


def test_missing_image_is_named(run):
    """Without its images the page is not written, and the first one is named."""
    root, params = run
    (root / "images/toy/00003.jpg").unlink()
    with pytest.raises(MmclustError, match="An image cannot be read") as caught:
        make_report(root, params, root / "index.html")
    assert "00003.jpg" in str(caught.value)
    assert "fetch the source again" in str(caught.value)
    assert not (root / "index.html").exists()


@pytest.mark.parametrize(
    "name", ["metrics/clustering/toy.json", "data/features/toy/miniclip/features.json"]
)
def test_missing_result_is_named(run, name):
    """A stage that did not run is named by the file it would have made."""
    root, params = run
    (root / name).unlink()
    with pytest.raises(MmclustError, match=r"\.json is missing") as caught:
        make_report(root, params, root / "index.html")
    assert name in str(caught.value)
    assert "dvc repro" in str(caught.value)


def test_results_of_another_manifest_are_refused(run):
    """Scores whose images are not the manifest's are never shown."""
    root, params = run
    path = root / "data/scores/toy.parquet"
    table, meta = read_table(path)
    write_table(path, table.slice(1), meta)
    with pytest.raises(MmclustError, match="made from another manifest") as caught:
        make_report(root, params, root / "index.html")
    assert "the 24 images of toy, in order" in str(caught.value)
    assert "23 images" in str(caught.value)


def test_page_runs_in_a_browser(run, browse):
    """The scripts run without a word on the console, and draw the maps."""
    root, params = run
    make_report(root, params, root / "index.html")
    dom, console = browse(root / "index.html")
    assert console == []
    drawn = re.findall(r'<canvas[^>]* width="(\d+)"', dom)
    assert len(drawn) == 3
    assert min(map(int, drawn)) > 100
    legend = dom.partition('class="legend"')[2].partition("</div>")[0]
    assert re.findall(r"</i>(c\d)", legend) == ["c0", "c1", "c2"]


def test_table_sorts_by_number_when_a_header_is_clicked(run, browse):
    """A click on ACC puts the highest mean first, another the lowest."""
    root, params = run
    make_report(root, params, root / "index.html")
    source = (root / "index.html").read_text(encoding="utf-8")
    for clicks, sign in ((1, -1), (2, 1)):
        click = "document.querySelectorAll('th.number button')[0].click();" * clicks
        (root / "clicked.html").write_text(
            source.replace("</body>", f"<script>{click}</script></body>"),
            encoding="utf-8",
        )
        dom, console = browse(root / "clicked.html")
        assert console == []
        rows = dom.partition("<tbody>")[2].partition("</tbody>")[0].split("<tr>")[1:]
        means = [
            float(re.search(r'"number[^>]*data-value="([\d.]+)', r)[1]) for r in rows
        ]
        assert len(means) == 13
        assert means == sorted(means, key=lambda mean, sign=sign: sign * mean)

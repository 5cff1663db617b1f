"""The whole page: made, repeatable, self-contained, and safe to open."""

from __future__ import annotations

import base64
import html
import json
import re
import subprocess
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest

from mmclust.core.clusters import read_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.io import read_table, write_json, write_table
from mmclust.core.params import DataParams
from mmclust.report import page as page_module
from mmclust.report.page import make_report
from mmclust.scoring.record import path_of, read
from tests.conftest import ROOT, RUN
from tests.report.conftest import Fake, make_run
from tests.report.lexicon import make_words
from tests.report.pools import make_pool

ARABIC = "كلب أسود يركض في الحديقة"


class Page(HTMLParser):
    """Collects elements, visible text and what the page would load."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.loads, self.texts, self.inside = [], [], [], ""
        self.folder = path.parent
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.inside = tag
        self.tags.append((tag, named))
        self.loads += [named[a] for a in ("src", "href", "data-src") if named.get(a)]

    def handle_endtag(self, _):
        self.inside = ""

    def handle_data(self, text):
        if self.inside not in ("script", "style"):
            self.texts.append(text)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split()).replace("\xa0", " ")

    @property
    def data(self):
        """What the scripts read of the first benchmark."""
        return handed(self.folder / next(a for a in self.loads if a.endswith(".js")))


def handed(path):
    """Return what a file of data hands to the page."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("mmclust.put(")
    assert text.endswith(");\n")
    return json.loads(text.removeprefix("mmclust.put(")[:-3])


def cells_of(path, stage):
    """Return encoder, view, method and metric to value and text of a table's cells."""
    source = path.read_text(encoding="utf-8")
    table = re.search(
        f'<table[^>]* data-record="{stage}">.*?</table>', source, re.DOTALL
    )
    found = {}
    for row in re.findall(r"<tr data-encoder.*?</tr>", table[0], re.DOTALL):
        key = tuple(re.findall(r'data-(?:encoder|view|method)="(.*?)"', row)[:3])
        for cell in re.findall(r"<td[^>]*data-metric.*?</td>", row, re.DOTALL):
            metric, value = (re.search(f'data-{n}="(.*?)"', cell)[1]
                             for n in ("metric", "value"))  # fmt: skip
            text = html.unescape(re.sub("<.*?>", "", cell)).replace("\xa0", " ")
            found[key, metric] = value, " ".join(text.split())
    return found


def tree(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_page_holds_every_part_of_a_run(run):
    """Scores, curves, maps, confusion, clusters, contact sheet and provenance."""
    root, params = run
    make_report(root, params, root / "report/index.html")
    page = Page(root / "report/index.html")
    source = (root / "report/index.html").read_text()
    heads = re.findall(r"<h[123][^>]*>(.*?)</h[123]>", source)
    assert [re.sub("<.*?>", "", head) for head in heads] == [
        "What is best, and is it sure?",
        "toy 24 images",
        "toy",
        "Scores",
        "Look at the clusters",
        "The clusters, largest first",
        "Where it all comes from",
        "Data, licences and citations",
        "Machine and versions",
        "Params and digests",
    ]
    for expected in (
        "was not made in a git checkout",
        "n_resamples: 1000",
        "ab" * 32,
        "not compared: the source is the built-in sample",
        "tac on image head",
        "−0.004 [ −0.020 to 0.012 ] p <0.001, Holm 0.004",
        "−0.039",
        "How to read this",
        "Contact sheet",
        "There was no dvc.lock",
        "numpy",
    ):
        assert expected.replace(" ", "") in page.text.replace(" ", "")
    assert source.count("<svg") == 2
    assert not re.search(r"\d–\d", page.text)
    data = page.data
    assert sorted(data["maps"]["views"]) == ["concat", "image", "text"]
    assert len(data["label"]) == 24
    assert len(data["maps"]["points"]) == 20


def test_every_number_of_the_table_is_the_record_s(run):
    """The table is read back, cell by cell, beside the CSV; none is left out."""
    root, params = run
    make_report(root, params, root / "report/index.html")
    record = read(path_of(root, "score", "toy"))
    rows = cells_of(root / "report/index.html", "score")
    assert {key for key, _ in rows} == set(record.methods())
    for (key, metric), (value, text) in rows.items():
        score = record.get(key, metric)
        assert float(value) == score.mean
        if metric in ("n_clusters", "largest", "smallest"):
            continue
        shown = f"{score.mean:.3f} ± {score.half:.3f}" if score.half else ""
        assert text.lstrip("★ ") == shown or score.half is None
    wanted = ("acc", "nmi", "ami", "ari", "purity", "f1", "n_clusters", "largest",
              "smallest")  # fmt: skip
    assert len(rows) == len(record.methods()) * len(wanted)
    free = cells_of(root / "report/index.html", "cluster")
    own = read(path_of(root, "cluster", "toy", "miniclip"))
    told = {at: float(value) for at, (value, _) in free.items()}
    assert told == {
        (s.key, s.metric): -1e9 if s.mean is None else s.mean
        for s in own if s.method and s.metric not in ("n_clusters", "noise")
    }  # fmt: skip


def shown_numbers(page):
    """Yield stage, section, key, metric, mean and half of every cell of every table."""
    source = page.read_text(encoding="utf-8")
    for section, body in re.findall(
        r'<section id="([^"]+)"(.*?)</section>', source, re.DOTALL
    ):
        tables = r'<table([^>]*) data-record="(\w+)"([^>]*)>(.*?)</table>'
        for before, stage, after, table in re.findall(tables, body, re.DOTALL):
            own = re.search('data-encoder="(.*?)"', before + after)
            for row in re.findall(r"<tr[^>]*>.*?</tr>", table, re.DOTALL):
                head = row[: row.index(">")]
                for cell in re.findall(r"<td[^>]*data-metric.*?</td>", row, re.DOTALL):
                    of = {"encoder": own[1] if own else "", "view": "", "method": ""}
                    for tag in (head, cell[: cell.index(">")]):
                        of |= dict(re.findall(r'data-(\w+)="(.*?)"', tag))
                    text = html.unescape(re.sub("<.*?>", " ", cell)).replace("−", "-")
                    numbers = re.match(
                        r"[\s★]*(-?[\d.,]+)(?:[\s%]+±\s+([\d.]+))?", text
                    )
                    mean, half = numbers.groups() if numbers else (None, None)
                    key = (of["encoder"], of["view"], of["method"])
                    yield stage, section, key, of["metric"], mean, half


def check_numbers(root, page):
    """Hold every number of the page's tables against the record; return how many."""
    checked = Counter()
    for stage, section, key, metric, mean, half in shown_numbers(page):
        name = section.removeprefix("retrieval-")
        if stage in ("cognition", "grounding"):
            (path,) = (root / "metrics/details" / stage).glob("*.csv")
        else:
            part = key[0] if stage == "cluster" else ""
            path = path_of(root, stage, name, part)
        score = read(path).get(key, metric)
        heads = path_of(root, stage, name)
        if score is None and stage == "cluster" and heads.is_file():
            score = read(heads).get(key, metric)
        if score is None or score.mean is None:
            assert mean is None, (key, metric)
            continue
        percent = metric in ("largest", "smallest") or (
            stage == "retrieve" and metric != "rsum"
        )
        for text, value in ((mean, score.mean), (half, score.half)):
            if text is None:
                assert value is None, (key, metric)
                continue
            digits = len(text.partition(".")[2])
            close = pytest.approx(
                value * (100 if percent else 1), abs=0.51 / 10**digits
            )
            assert float(text.replace(",", "")) == close, (key, metric)
        checked[stage] += 1
    return checked


def test_every_number_of_every_table_is_the_record_s(run):
    """Of clusters, of pools and of words: means, and halves of intervals."""
    root, params = run
    params = make_words(root, make_pool(root, params))
    make_report(root, params, root / "report/index.html")
    checked = check_numbers(root, root / "report/index.html")
    assert set(checked) == {"score", "cluster", "retrieve", "cognition", "grounding"}
    assert min(checked.values()) >= 5


def test_every_number_of_the_default_run_is_the_record_s():
    """Where `dvc repro` has made the page."""
    page = RUN / "report/index.html"
    if not page.is_file():
        pytest.skip("the default run is not here")
    assert sum(check_numbers(RUN, page).values()) > 500


def test_the_answer_is_the_record_s(run):
    """The best by ACC, its lead over the next, and p, as the record has them."""
    root, params = run
    make_report(root, params, root / "index.html")
    record = read(path_of(root, "score", "toy"))
    means = {key: record.mean(key, "acc") for key in record.methods()
             if key[2] != "random"}  # fmt: skip
    best = max(means, key=means.get)
    text = Page(root / "index.html").text
    name = f"{best[2]} on {best[1].replace('concat', 'image + text')}"
    assert f"{name} is best: ACC {means[best]:.3f}" in text.replace(" of other", "")


def test_what_stands_apart_from_the_scores(run):
    """References, ranks, and which k without labels; fewer clusters than asked."""
    root, params = run
    scores = path_of(root, "score", "toy")
    lines = scores.read_text()
    scores.write_text(lines.replace("n_clusters,3.0", "n_clusters,2.5", 1))
    make_report(root, params, root / "report/index.html")
    text = " ".join(Page(root / "report/index.html").text.split())
    assert "linear probe" in text
    assert "0.875 ± 0.125" in text
    assert "Rank correlation with ACC, methods of miniclip" in text
    assert "silhouette 3, generalisation 2 (they differ)" in text
    assert "kmeans on image 2.5 of 3" in text


def test_methods_hold_the_clusters_of_the_first_seed(run):
    """What the menu shows of each method is what its file has, image by image."""
    root, params = run
    make_report(root, params, root / "index.html")
    page = Page(root / "index.html")
    shown = handed(root / page.data["words"][0])["ids"]
    for method in page.data["methods"]:
        encoder, view, name = method["id"].split(" ")
        path = "heads/tac" if name == "tac" else encoder
        clusterings, ids, _ = read_clusters(root / f"data/clusters/toy/{path}.parquet")
        one = next(c for c in clusterings if (c.view, c.clusterer) == (view, name))
        packed = base64.b64decode(handed(root / method["src"])["of"])
        clusters = np.frombuffer(packed, "<u2").astype(int) - 2
        own = dict(zip(ids, one.labels[0].tolist(), strict=True))
        assert clusters.tolist() == [own[image] for image in shown]
    assert len(page.data["methods"]) == 7
    primary = page.data["methods"][page.data["primary"]]
    assert primary["id"] == "miniclip concat kmeans"


def test_page_is_the_same_twice_and_at_any_number_of_workers(run):
    """Equal inputs give equal bytes, of the page and of every file beside it."""
    root, params = run
    folders = [root / str(i) for i in range(3)]
    for folder, workers in zip(folders, (1, 1, 2), strict=True):
        make_report(root, params, folder / "index.html", workers=workers)
    first, second, parallel = map(tree, folders)
    assert len(first) >= 5
    assert first == second == parallel


def test_another_machine_makes_the_same_page(run, monkeypatch):
    """What the machine is lies beside the page, where DVC does not look."""
    root, params = run
    here, there = root / "here", root / "there"
    make_report(root, params, here / "index.html")
    monkeypatch.setattr(page_module, "machine", lambda: {"processor": "An Abacus"})
    make_report(root, params, there / "index.html")
    own, other = tree(here), tree(there)
    assert other.pop("machine.js") == b'mmclust.put({"processor":"An Abacus"});\n'
    assert b'"numerics":' in own.pop("machine.js")
    assert own == other
    assert "/report/machine.js" in (ROOT / ".dvcignore").read_text().splitlines()


def test_another_page_in_its_place_leaves_no_file_behind(run):
    """Files that only the page before used are gone; those of both are kept."""
    root, params = run
    page = root / "report/index.html"
    make_report(root, params, page)
    before = tree(root / "report")
    report = replace(params.report, thumbnails=2)
    make_report(root, replace(params, report=report), page)
    after = tree(root / "report")
    assert len(after) == len(before)
    assert 0 < len(after.keys() - before.keys()) < 3


def test_page_loads_nothing_from_elsewhere(run):
    """Every address is on the page or in its folder; the policy forbids the rest."""
    root, params = run
    make_report(root, params, root / "report/index.html")
    page = Page(root / "report/index.html")
    inside = [a for a in page.loads if a.startswith("files/")]
    assert len(inside) == 2
    inside += [m["src"] for m in page.data["methods"]]
    assert all((root / "report" / a).is_file() for a in inside)
    rest = [a for a in page.loads if not a.startswith(("data:", "#", "files/"))]
    assert rest == []
    assert "url(" not in (root / "report/index.html").read_text()
    policy = [a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a]
    assert policy[0].startswith("default-src 'none'; img-src data: file: 'self';")


def test_captions_are_text_in_any_script(run):
    """Markup in captions and names is shown, not obeyed; Arabic arrives whole."""
    root, params = run
    make_report(root, params, root / "index.html")
    source = (root / "index.html").read_text(encoding="utf-8")
    page = Page(root / "index.html")
    assert "<script>alert" not in source
    assert "<i>cow" not in source
    assert "<b>paw" not in source
    assert [tag for tag, _ in page.tags].count("script") == 1
    words = handed(root / page.data["words"][0])
    by_id = dict(zip(words["ids"], words["captions"], strict=True))
    assert by_id["00000"] == ["a <b>bold</b> & <script>alert('x')</script> dog"]
    assert by_id["00001"] == [ARABIC, "a second one"]
    assert by_id["00002"] == []


def test_one_cluster(tmp_path, make):
    """A run with a single cluster and class has a page like any other."""
    params = make(tmp_path, n=6, classes=1, n_clusters=1, sweep=(1,))
    make_report(tmp_path, params, tmp_path / "index.html")
    page = Page(tmp_path / "index.html")
    assert page.data["classes"] == ["cat"]
    first = handed(tmp_path / page.data["methods"][0]["src"])
    assert first["matched"] == {"0": 0}
    assert first["nearest"] == {"0": []}


def test_a_thousand_clusters(tmp_path, make):
    """Each has its class and its names; the page itself grows by none."""
    params = make(tmp_path, n=1100, n_clusters=1000, side=8, sweep=(2,))
    make_report(tmp_path, params, tmp_path / "index.html")
    page = Page(tmp_path / "index.html")
    primary = handed(tmp_path / page.data["methods"][page.data["primary"]]["src"])
    assert len(primary["names"]) == 1000
    assert len(primary["matched"]) == 3
    assert (tmp_path / "index.html").stat().st_size < 400_000


def test_images_without_text(tmp_path, make):
    """A benchmark of images alone gets one map and names its one view."""
    params = make(tmp_path, views=("image",))
    make_report(tmp_path, params, tmp_path / "index.html")
    page = Page(tmp_path / "index.html")
    assert list(page.data["maps"]["views"]) == ["image"]
    assert "image + text" not in "".join(page.texts).split("Look at the clusters")[1]
    assert "kmeans on image" in page.text


def test_images_without_captions(tmp_path, make):
    """A benchmark without a caption says so; its galleries and maps are there."""
    params = make(tmp_path, views=("image",), captioned=False)
    make_report(tmp_path, params, tmp_path / "index.html")
    page = Page(tmp_path / "index.html")
    assert "The images of toy have no captions." in page.text
    words = handed(tmp_path / page.data["words"][0])
    assert words["captions"] == [[]] * 24
    assert list(page.data["maps"]["views"]) == ["image"]


def test_a_dirty_tree_is_told(run):
    """Code and params that are in no commit are named, at the top and below."""
    root, params = run
    call = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@t"]
    (root / "params.yaml").write_text("seed: 1\n")
    (root / "src").mkdir()
    (root / "src/<b>.py").write_text("")
    for arguments in (
        ["init", "-q"], ["add", "params.yaml", "src"], ["commit", "-qm", "one"]
    ):  # fmt: skip
        subprocess.run([*call, *arguments], check=True)
    make_report(root, params, root / "index.html")
    assert "in no commit" not in Page(root / "index.html").text
    (root / "params.yaml").write_text("seed: 2\n")
    subprocess.run([*call, "mv", "src/<b>.py", "src/c <b>.py"], check=True)
    make_report(root, params, root / "index.html")
    text = Page(root / "index.html").text
    assert "had changes that are in no commit when this page was made (3 files" in text
    assert "with uncommitted changes" in text
    assert "when this page was made: params.yaml , src/<b>.py , src/c <b>.py ." in text


def test_each_benchmark_is_called_what_it_is(tmp_path):
    """The sample beside pictures of one's own, whatever the next fetch would take."""
    names = {"drawn": "sample", "photos": "by hand"}
    for name, taken in names.items():
        params = make_run(tmp_path, Fake(taken_from=taken), name)
    params = replace(params, benchmarks={name: {} for name in names})
    page = tmp_path / "index.html"
    raw = tmp_path / "data/raw"
    for source, mirror in (("coco2017", "sample"), ("flickr30k", "upstream")):
        write_json(raw / source / "source.json", {"mirror": mirror})
    for mirror in ("sample", "upstream"):
        data = DataParams(mirror=mirror, sources=("coco2017", "flickr30k"))
        make_report(tmp_path, replace(params, data=data), page)
        text = Page(page).text
        assert "Of the built-in sample: drawn. Its pictures are drawn" in text
        assert "This run used the built-in sample" not in text
        assert "holds nothing of them: coco2017. Of the sources themselves" in text
    only = replace(params, model=replace(params.model, benchmarks=("photos",)))
    make_report(tmp_path, only, page)
    assert "no photographs" not in Page(page).text
    only = replace(params, model=replace(params.model, benchmarks=("drawn",)))
    make_report(tmp_path, only, page)
    assert "This run used the built-in sample. Its pictures" in Page(page).text


@pytest.mark.parametrize("published", [False, True])
def test_published_numbers_compare_only_on_published_data(tmp_path, make, published):
    """On other data none is shown, and the page says why; metrics share a row."""
    root, params = tmp_path, make(tmp_path)
    if published:
        path = root / "data/benchmarks/toy.json"
        expected = {"matches": True, "verified": ["sha256"]}
        path.write_text(
            json.dumps(json.loads(path.read_text()) | {"expected": expected})
        )
    line = ["3.1,toy", "multi-view clustering model"]
    rows = [
        "table,dataset,method,metric,value,spread,source,status,setup",
        ",".join([*line, "acc,0.725,0.003,a release,F,features ResNet"]),
        ",".join([*line, "nmi,0.831,,a release,F,features ResNet"]),
        "3.2,toy,another,ari,0.5,,a paper,L,not said",
    ]
    (root / "docs/published").mkdir(parents=True)
    (root / "docs/published/a.csv").write_text("\n".join(rows) + "\n")
    make_report(root, params, root / "index.html")
    source = (root / "index.html").read_text()
    text = Page(root / "index.html").text
    method = '<th scope="row">multi-view clustering model</th>'
    assert source.count(method) == (1 if published else 0)
    assert ("without one of ours beside (1)" in text) == published
    ours = "Ours: kmeans on image + text."
    told = f"a release, table 3.1 (read in a figure or table). {ours}" in text
    assert told == published
    assert ("Numbers published for toy are not shown" in text) == (not published)
    assert ("(the source is the built-in sample)" in text) == (not published)
    assert len(re.findall(r"ours \d\.\d{3} \(Δ", text)) == (2 if published else 0)


def test_no_labels(run):
    """Without a known class nothing is said of right and wrong, or of purity."""
    root, params = run
    path = root / "data/scores/toy.parquet"
    table, meta = read_table(path)
    n = table.num_rows
    for name, values in (
        ("label", pa.array([-1] * n, pa.int32())),
        ("label_name", [""] * n),
        ("matched", [""] * n),
    ):
        table = table.set_column(table.schema.get_field_index(name), name, [values])
    write_table(path, table, meta)
    make_report(root, params, root / "index.html")
    page = Page(root / "index.html")
    assert "No class of toy is known here" in page.text
    assert "right or wrong" not in page.text
    assert "data-matrix>" not in (root / "index.html").read_text()
    assert page.data["label"] == [-1] * n


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_images_for_a_map(tmp_path, make, n):
    """One or two images have no map, and the page says so."""
    params = make(tmp_path, n=n, classes=1, n_clusters=1)
    make_report(tmp_path, params, tmp_path / "index.html")
    assert "too few images for a map" in (tmp_path / "index.html").read_text()


def test_missing_pictures_are_named_and_stand_in_grey(run):
    """The page is made without them, and says how many, which, and why."""
    root, params = run
    (root / "images/toy/00003.jpg").unlink()
    make_report(root, params, root / "index.html")
    told = "1 of 24 pictures could not be read, and stand here in grey: 00003 (An image"
    assert told in Page(root / "index.html").text


@pytest.mark.parametrize("name", ["score/toy.csv", "cluster/toy/miniclip.csv"])
def test_records_of_another_version_are_refused(run, name):
    """A record in another layout is named, and never shown half."""
    root, params = run
    (root / "metrics/details" / name).write_text("encoder,acc\na,1\n")
    with pytest.raises(MmclustError, match="no record of scores of this") as caught:
        make_report(root, params, root / "index.html")
    assert name in str(caught.value)
    assert "dvc repro" in str(caught.value)
    assert not (root / "index.html").exists()


@pytest.mark.parametrize(
    "name",
    ["metrics/details/score/toy.csv", "data/features/toy/miniclip/features.json"],
)
def test_missing_result_is_named(run, name):
    """A stage that did not run is named by the file it would have made."""
    root, params = run
    (root / name).unlink()
    with pytest.raises(MmclustError, match=r"is missing") as caught:
        make_report(root, params, root / "index.html")
    assert name in str(caught.value)
    assert "do:" in str(caught.value)


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

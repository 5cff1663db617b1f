"""The docs site builds without a warning, asks nobody for anything, and is complete."""

import re
import shutil
from html.parser import HTMLParser

import yaml

from mmclust.core import plugins
from tests.conftest import ROOT
from tests.docs.build import CONFIG, mkdocs

KINDS = ("benchmarks", "encoders", "clusterers", "heads", "words")


def test_every_plugin_has_its_page(site):
    for kind in KINDS:
        for name in plugins.names(kind):
            page = (site / f"reference/{kind}/{name}.html").read_text()
            assert "Source" in page
            assert 'id="options"' in page


def test_every_page_is_in_the_nav(site):
    """Also those that mkdocs.yml does not name."""
    start = (site / "index.html").read_text()
    for path in (ROOT / "docs").glob("*.md"):
        assert f"{path.stem}.html" in start, path.name


def test_the_start_page_is_the_readme(site):
    first = (ROOT / "README.md").read_text().splitlines()[2]
    assert first.split(":")[0] in (site / "index.html").read_text()


class Loaded(HTMLParser):
    """What a page loads by itself: not what it links to."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        of = {"script": "src", "img": "src", "link": "href", "iframe": "src"}
        wanted = dict(attrs).get(of.get(tag, ""))
        rel = dict(attrs).get("rel")
        if wanted and rel not in {"canonical", "prev", "next"}:
            self.found.append(wanted)


def test_nothing_is_loaded_from_elsewhere(site):
    for path in site.rglob("*.html"):
        page = Loaded()
        page.feed(path.read_text())
        assert not [url for url in page.found if re.match(r"(https?:)?//", url)], path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(https?:)?//", path.read_text()), path


LINKS = ("nowhere.md", "pipeline.md#nowhere", "/pipeline.md", "../nowhere.yaml")


def test_broken_links_fail_the_build(tmp_path):
    """Each is named: to no page, to no heading, absolute, to no file."""
    for name in ("docs/site", "src", "data/sources.yaml", "docs/sources"):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, target)
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "params.yaml"):
        (tmp_path / name).write_text("# Page\n")
    links = "\n".join(f"[there]({link})" for link in LINKS)
    (tmp_path / "docs/pipeline.md").write_text(f"# Pipeline\n\n{links}\n")
    config = yaml.safe_load((ROOT / CONFIG).read_text())
    config["nav"] = [{"Start": ["index.md", "pipeline.md", "contributing.md"]}]
    (tmp_path / CONFIG).write_text(yaml.safe_dump(config))
    done = mkdocs(tmp_path, tmp_path / "out")
    assert done.returncode != 0
    told = [line for line in done.stderr.splitlines() if "pipeline.md" in line]
    for link in LINKS:
        assert any(link in line for line in told), f"{link}\n{done.stderr}"

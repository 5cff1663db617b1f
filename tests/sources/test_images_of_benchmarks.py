"""`data.images` for every benchmark and mirror: enough for `build`, and only that."""

from __future__ import annotations

import json
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from mmclust.benchmarks._build import build_benchmark
from mmclust.cli.sources import selection
from mmclust.core.io import file_digest
from mmclust.core.manifest import read_manifest
from mmclust.core.params import Params
from mmclust.core.plugins import load, names
from mmclust.sample.make import make_sample
from mmclust.sources import fetch as fetch_module
from mmclust.sources.fetch import fetch_source
from tests.benchmarks import test_cifar, test_stl10, test_thirty
from tests.benchmarks import toy_imagenet as imagenet
from tests.conftest import ROOT
from tests.faults.files import serving_files
from tests.sources.conftest import QUICK
from tests.sources.toy import register

REGISTRY = yaml.safe_load((ROOT / "data/sources.yaml").read_text())
# The sources of pictures come first, so that their lists are not there yet.
DRAWN = {
    "coco_cross": ({}, ["coco2017"]),
    "coco_all": ({"min_images": 2}, ["coco2017"]),
    "coco_words": ({"source": "coco2017"}, ["coco2017"]),
    "coco_karpathy": ({}, ["coco2014", "karpathy_splits"]),
    "pascal_sentences": ({}, ["pascal_sentences"]),
    "flickr30k": ({}, ["flickr30k"]),
    "mscoco_fg": ({}, ["coco2017_unlabeled", "coco2014", "fine_grained"]),
    "flickr30k_fg": ({}, ["coco2017_unlabeled", "flickr30k", "fine_grained"]),
}
TWO = {"classes": ["n02056570", "n02085936"], "images_per_class": 2}
OWN = {
    "cifar10": ({}, "cifar10"),
    "cifar20": ({}, "cifar100"),
    "stl10": ({}, "stl10"),
    "food30": (test_thirty.BLOCK, "food101"),
    "imagenet10": ({}, "imagenet1k"),
    "imagenet_dogs": ({}, "imagenet1k"),
    "imagenet30": (TWO, "imagenet1k"),
}


def test_every_benchmark_is_here():
    """All that take pictures of a source; `folder` takes the user's own."""
    assert DRAWN.keys() | OWN.keys() | {"folder"} == set(names("benchmarks"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A small built-in world: as a publisher's server has it, packed and unpacked."""
    packed = tmp_path_factory.mktemp("site")
    make_sample(packed, 782, workers=2, n_images=90)
    unpacked = tmp_path_factory.mktemp("unpacked")
    for path in packed.glob("*/*"):
        folder = unpacked / path.parent.name
        folder.mkdir(exist_ok=True)
        like = REGISTRY[folder.name]["files"].get(path.name, {})
        if "contains" in like:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
        else:
            (folder / path.name).write_bytes(path.read_bytes())
    # The publisher of Pascal Sentences has no archive: the server gives pictures.
    with zipfile.ZipFile(packed / "pascal_sentences/images.zip") as archive:
        archive.extractall(packed / "pascal_sentences")
    return packed, unpacked


def registered(site, url):
    """The registry in git, of these files."""
    sources = {}
    for folder in sorted(path for path in site.iterdir() if path.is_dir()):
        files = {}
        for name, known in REGISTRY[folder.name]["files"].items():
            path = folder / name
            file = {k: known[k] for k in ("contains", "optional") if k in known}
            if "listed_in" in known:
                member_url = f"{url}/{folder.name}/{{member}}"
                file |= {"listed_in": known["listed_in"], "member_url": member_url}
            elif path.is_file():
                file |= {"url": f"{url}/{folder.name}/{name}"}
                digest = any(key in known for key in ("sha256", "md5"))
                file |= {"sha256": file_digest(path)} if digest else {}
            elif known.get("optional"):
                file["url"] = f"{url}/nothing"
            else:
                continue
            files[name] = file
        sources[folder.name] = {"files": files, "manual": "by hand"}
    return {name: source for name, source in sources.items() if source["files"]}


@pytest.fixture(params=["upstream", "sample", "packed", "unpacked"])
def fetch(request, site, tmp_path, monkeypatch):
    """Return fetch(benchmarks, source), from each kind of mirror, and its server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    packed, unpacked = site
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sample").symlink_to(packed)
    mirrors = {"packed": str(packed), "unpacked": str(unpacked)}
    with serving_files(packed) as (server, url):
        register(tmp_path, **registered(packed, url))

        def run(blocks, source, *, images=None):
            params = Params(benchmarks=blocks)
            return fetch_source(
                source,
                mirror=mirrors.get(request.param, request.param),
                out=tmp_path / "data/raw" / source,
                root=tmp_path,
                network=QUICK,
                choice=selection(source, params, images or tuple(blocks)),
            )

        run.root, run.requests = tmp_path, server.requests
        yield run


def pictures(root, sources):
    """All pictures that were fetched, by their paths in archives."""
    found = []
    for source in sources:
        for path in (root / "data/raw" / source).glob("*.zip"):
            with zipfile.ZipFile(path) as archive:
                found += [
                    n for n in archive.namelist() if n.endswith((".jpg", ".JPEG"))
                ]
    assert len(found) == len(set(found))
    return set(found)


def built(root, benchmark, block, sources):
    """Build it; return the paths of its pictures in archives."""
    raw = root / "data/raw"
    raw = raw / sources[0] if len(sources) == 1 else raw
    out = root / "data/benchmarks" / benchmark
    build_benchmark(benchmark, raw, out, block, allow_different=True)
    return set(read_manifest(out / "manifest.parquet").table["member"].to_pylist())


@pytest.mark.parametrize("benchmark", DRAWN)
def test_what_is_chosen_is_enough_and_only_that(benchmark, fetch):
    """Sources in any order; what is there is not asked for again."""
    block, sources = DRAWN[benchmark]
    facts = [fetch({benchmark: block}, source) for source in sources]
    got = pictures(fetch.root, sources)
    taken = built(fetch.root, benchmark, block, sources)
    assert len(taken) > 2
    # Whether a picture is stored in grey is seen when it is there.
    assert got >= taken if benchmark == "coco_words" else got == taken
    # What was fetched is recorded in the summary, of several sources too.
    images = json.loads((fetch.root / f"data/benchmarks/{benchmark}.json").read_text())[
        "notes"
    ]["image_files"]
    found = {
        path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)}
        for source in sources
        for path in (fetch.root / "data/raw" / source).glob("*.zip")
    }
    assert images == {name: found[name] for name in images}
    assert images
    archives = [f for each in facts for f in each["files"].values()]
    assert {f["from"] for f in archives if "contains" in f} <= {"members", "packed"}
    asked = sum(fetch.requests.values())
    again = [fetch({benchmark: block}, source) for source in sources]
    assert again == facts
    assert sum(fetch.requests.values()) == asked


@pytest.mark.parametrize("fetch", ["upstream"], indirect=True)
def test_two_fetches_that_choose_differently(fetch, monkeypatch):
    """One waits for the other, so that the record is of the archive beside it."""
    source = "coco2017_unlabeled"
    out = fetch.root / "data/raw" / source
    packed, ended = threading.Event(), threading.Event()
    write_json = fetch_module.write_json

    def late(path, value):
        if path == out / "source.json" and not packed.is_set():
            packed.set()
            ended.wait(3)
        write_json(path, value)

    monkeypatch.setattr(fetch_module, "write_json", late)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(fetch, {"mscoco_fg": {}}, source)
        assert packed.wait(20)
        second = pool.submit(fetch, {"flickr30k_fg": {}}, source).result()
        ended.set()
        assert first.result() != second
    assert json.loads((out / "source.json").read_text()) == second
    for name, file in second["files"].items():
        assert file["sha256"] == file_digest(out / name)
    assert not out.with_name(f"{source}.work").exists()


def test_several_benchmarks_of_several_sources(fetch):
    """Each source gives what any of them takes; one that none reads gives none."""
    blocks = {
        name: DRAWN[name][0] for name in ("coco_cross", "coco_words", "mscoco_fg")
    }
    sources = ["coco2017", "coco2014", "coco2017_unlabeled", "fine_grained"]
    for source in [*sources, "flickr30k"]:
        fetch(blocks, source)
    got = pictures(fetch.root, ["coco2017"])
    taken = built(fetch.root, "coco_words", blocks["coco_words"], ["coco2017"])
    assert taken <= got
    assert built(fetch.root, "coco_cross", {}, ["coco2017"]) <= got
    assert built(fetch.root, "mscoco_fg", {}, sources) == pictures(
        fetch.root, sources[1:]
    )
    flickr = fetch.root / "data/raw/flickr30k"
    assert {path.name for path in flickr.iterdir()} == {
        "flickr_annotations_30k.csv", "source.json",
    }  # fmt: skip


def test_by_command(site, tmp_path, run_mmclust, monkeypatch):
    """As params.yaml says, or the command line; words that mean nothing are refused."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    values = {"data": {"mirror": "upstream", "images": ["coco_cross"]}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))

    def run(*options, code=0):
        done = run_mmclust("fetch", "coco2017", *options, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    with serving_files(site[0]) as (_, url):
        register(tmp_path, **registered(site[0], url))
        part = run()
        assert "train2017.zip" in part.partition("crc32 verified, ")[0]
        assert "val2017.zip: not fetched, or not among the pictures" in part
        assert run("--repair") == part
        assert run("--images", "all").count("sha256 verified") == 3
    assert "Did you mean 'coco_cross'?" in run("--images", "coco_crss", code=1)
    values["data"]["images"] = "some"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    assert "data.images is neither all nor a list" in run(code=1)


def write_own(benchmark, folder):
    """Write a source whose archives cannot be taken apart, or ImageNet's folders."""
    folder.mkdir(parents=True)
    if benchmark in {"cifar10", "cifar20"}:
        test_cifar.write_cifar(folder, benchmark, "python", "archive")
    elif benchmark == "stl10":
        test_stl10.write_stl10(folder, "archive")
    elif benchmark == "food30":
        folder.rmdir()
        test_thirty.write_food(folder, "archive")
    else:
        wnids = OWN["imagenet30"][0]["classes"]
        if benchmark != "imagenet30":
            wnids = list(load("benchmarks", benchmark).CLASSES)
        imagenet.write_folders(folder, imagenet.images(wnids))


@pytest.mark.parametrize("benchmark", OWN)
def test_archives_that_cannot_be_taken_apart_come_whole(benchmark, tmp_path):
    """Tars whole; of ImageNet's folders only the classes."""
    block, source = OWN[benchmark]
    write_own(benchmark, tmp_path / "mine")
    files = {
        name: {k: known[k] for k in ("contains", "optional") if k in known}
        for name, known in REGISTRY[source]["files"].items()
    }
    register(tmp_path, **{source: {"manual": "by hand", "files": files}})
    params = Params(benchmarks={benchmark: block})
    fetch_source(
        source, mirror=str(tmp_path / "mine"), root=tmp_path,
        out=tmp_path / "data/raw" / source,
        choice=selection(source, params, (benchmark,)),
    )  # fmt: skip
    built(tmp_path, benchmark, block, [source])
    manifest = read_manifest(
        tmp_path / "data/benchmarks" / benchmark / "manifest.parquet"
    )
    got = pictures(tmp_path, [source])
    assert len(manifest) > 2
    if source == "imagenet1k":
        assert set(manifest.table["member"].to_pylist()) <= got
        assert not any("n09999999" in path for path in got)
    else:
        assert got == set()

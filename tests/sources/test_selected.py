"""Members of remote archives: what is asked for, what is checked, what arrives."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml

from mmclust.core.errors import MmclustError
from mmclust.sources.asking import Timeouts
from mmclust.sources.attempts import Patience
from mmclust.sources.download import Network
from mmclust.sources.fetch import fetch_source
from mmclust.sources.remote_member import Wanted, batches
from tests.faults.files import WHOLE, serving_files
from tests.faults.toy import tree

MINI = Path(__file__).parents[2] / "../shared/data/coco_mini"
QUICK = Network(Timeouts(read=2), Patience(attempts=2, first=0.01), 3)
RNG = np.random.default_rng(0)
PICTURES = {
    f"p/{i:03d}.jpg": b"\xff\xd8" + RNG.bytes(2000 + i) + b"\xff\xd9" for i in range(60)
}
SOME = ["p/003.jpg", "p/004.jpg", "p/005.jpg", "p/040.jpg", "p/059.jpg"]


@pytest.fixture(params=[zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def site(request, tmp_path):
    """Make a publisher's folder with p.zip, note.txt and single pictures in it."""
    folder = tmp_path / "site"
    (folder / "p").mkdir(parents=True)
    (folder / "note.txt").write_bytes(b"a note")
    with zipfile.ZipFile(folder / "p.zip", "w", request.param) as archive:
        archive.writestr("p/", b"")
        for name, data in PICTURES.items():
            archive.writestr(name, data)
    return folder


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """Return fetch(url, names), which fetches note.txt and members of p.zip."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run(url, names=tuple(SOME), *, member_url=True, size=None, select=True):
        data = (tmp_path / "site/p.zip").read_bytes()
        picture = {
            "urls": [f"{url}/p.zip"],
            "size": size or len(data),
            "contains": {"p/*.jpg": 60},
            "optional": True,
        }
        if member_url:
            picture["member_url"] = f"{url}/{{member}}"
        files = {"note.txt": {"url": f"{url}/note.txt"}, "p.zip": picture}
        (tmp_path / "data").mkdir(exist_ok=True)
        registry = yaml.safe_dump({"toy": {"files": files}}, sort_keys=False)
        path = tmp_path / "data/sources.yaml"
        if not path.exists() or path.read_text() != registry:  # others may read it
            path.write_text(registry)
        return fetch_source(
            "toy",
            mirror="upstream",
            out=tmp_path / "out",
            root=tmp_path,
            network=QUICK,
            select=(lambda _: {"p.zip": names}) if select else None,
        )

    return run


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def test_selected_members_arrive(site, fetch, tmp_path):
    """Byte for byte, stored, in order; the whole archive is not asked for."""
    with serving_files(site) as (server, url):
        facts = fetch(url)
        sent = server.sent
    assert members(tmp_path / "out/p.zip") == {name: PICTURES[name] for name in SOME}
    assert facts["files"]["p.zip"] == {
        "size": (tmp_path / "out/p.zip").stat().st_size,
        "sha256": hashlib.sha256((tmp_path / "out/p.zip").read_bytes()).hexdigest(),
        "verified": "crc32",
        "from": "members",
        "contains": {"p/*.jpg": "5 of 60: a part"},
    }
    own = sum(len(PICTURES[name]) for name in SOME)
    assert sent < own + 70_000  # the directory, and a header for each member
    assert not (tmp_path / "out.work").exists()


def test_the_same_selection_gives_the_same_bytes(site, fetch, tmp_path):
    """In any order, again from the server or from what is on disk."""
    with serving_files(site) as (_, url):
        fetch(url, SOME)
        first = tree(tmp_path / "out")
        shutil.rmtree(tmp_path / "out")
        fetch(url, SOME[::-1])
    assert tree(tmp_path / "out") == first


def test_a_larger_selection_fetches_the_difference(site, fetch, tmp_path):
    """What an earlier selection holds is taken over after its CRC-32 is checked."""
    with serving_files(site) as (server, url):
        fetch(url, SOME)
        server.seen.clear()
        fetch(url, [*SOME, "p/050.jpg"])
    asked = [headers["Range"] for path, headers in server.seen if path == "/p.zip"]
    assert len(asked) <= 4  # a byte, the directory, one member
    assert len(members(tmp_path / "out/p.zip")) == 6


def test_two_fetchers_of_members_at_once(site, fetch, tmp_path):
    """Both succeed, though the first to finish tidies up."""
    with serving_files(site) as (_, url):
        fetch(url, SOME[:1])
        with ThreadPoolExecutor(3) as pool:
            facts = list(pool.map(lambda _: fetch(url, list(PICTURES)), range(3)))
    assert len({each["files"]["p.zip"]["sha256"] for each in facts}) == 1
    assert members(tmp_path / "out/p.zip") == PICTURES
    assert not (tmp_path / "out.work").exists()


def test_a_whole_archive_that_is_there_stays(site, fetch, tmp_path):
    """Whoever has all of it is not given less."""
    with serving_files(site) as (server, url):
        fetch(url, select=False)
        whole = (tmp_path / "out/p.zip").read_bytes()
        facts = fetch(url)
    assert (tmp_path / "out/p.zip").read_bytes() == whole
    assert facts["files"]["p.zip"]["from"] == "archive"
    assert server.requests["/p.zip"] == 1


def test_neighbours_share_requests():
    """Gaps of at most 4 % of a batch are bridged, and batches end at 8 MiB."""

    def wanted(start, end):
        return Wanted("x", end - start, 0, 0, end - start, start, end)

    row = [wanted(at, at + 1000) for at in range(0, 10_000, 1000)]
    assert [len(group) for group in batches(row)] == [10]
    assert [len(group) for group in batches(row[::2])] == [1] * 5
    assert [len(group) for group in batches([row[0], wanted(1040, 2040)])] == [2]
    large = [wanted(at, at + (3 << 20)) for at in range(0, 30 << 20, 3 << 20)]
    assert [len(group) for group in batches(large)] == [2] * 5


def damage(name, data, asked):
    """Change a picture inside the archive, never the directory."""
    if name != "p.zip" or len(data) < 100 or b"PK\1\2" in data:
        return data
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


def test_a_damaged_member_comes_by_its_own_url(site, fetch, tmp_path):
    """CRC-32 finds it; the single picture is right and is taken."""
    site.joinpath("p").mkdir(exist_ok=True)
    for name in SOME:
        (site / name).write_bytes(PICTURES[name])
    with serving_files(site, damage) as (server, url):
        fetch(url)
    assert members(tmp_path / "out/p.zip") == {name: PICTURES[name] for name in SOME}
    assert any(path.endswith(".jpg") for path in server.requests)


def test_a_damaged_member_is_named(site, fetch, tmp_path):
    """Without its own url: the member, what was expected, and out as before."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/p.zip").write_bytes(b"earlier")
    with (
        serving_files(site, damage) as (_, url),
        pytest.raises(MmclustError) as caught,
    ):
        fetch(url, member_url=False)
    assert ".jpg is damaged" in str(caught.value)
    assert "(2 attempts)" in str(caught.value)
    assert (tmp_path / "out/p.zip").read_bytes() == b"earlier"


def test_a_single_picture_with_other_bytes_is_refused(site, fetch):
    """The fallback is held to the directory's CRC-32 too."""
    for name in SOME:
        (site / name).write_bytes(PICTURES[name][:-3] + b"?\xff\xd9")
    with (
        serving_files(site, damage) as (_, url),
        pytest.raises(MmclustError, match=r"CRC-32 [0-9a-f]{8}"),
    ):
        fetch(url)


def test_a_server_without_ranges_is_asked_for_single_pictures(site, fetch, tmp_path):
    """Then only that they are whole JPEGs can be checked, and the note says so."""
    for name in SOME:
        (site / name).write_bytes(PICTURES[name])

    def whole(name, data, asked):
        return WHOLE if asked else data

    with serving_files(site, whole) as (_, url):
        facts = fetch(url)
        assert facts["files"]["p.zip"]["verified"] == "jpeg"
        (site / SOME[0]).write_bytes(b"\xff\xd8 cut")
        shutil.rmtree(tmp_path / "out")
        with pytest.raises(MmclustError, match="is no whole JPEG"):
            fetch(url)
        with pytest.raises(MmclustError, match="does not give parts"):
            fetch(url, member_url=False)


def test_another_archive_is_refused(site, fetch, tmp_path):
    """One whose size is not the registered one is not the same archive."""
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match="The file changed") as caught,
    ):
        fetch(url, size=10**6, member_url=False)
    assert "expected: 1,000,000 bytes" in str(caught.value)


def test_a_truncated_directory_is_refused(site, fetch):
    """An archive that ends inside its directory."""
    path = site / "p.zip"
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"PK\1\2") + 100])
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match=r"directory of p\.zip cannot be read"),
    ):
        fetch(url, member_url=False)


def test_members_that_do_not_exist_are_named(site, fetch):
    """How many, and which first."""
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match=r"1 missing: p/999\.jpg"),
    ):
        fetch(url, [*SOME, "p/999.jpg"])


@pytest.mark.parametrize("name", ["../evil.jpg", "/evil.jpg", "p/../../evil.jpg"])
def test_a_selection_cannot_leave_its_folder(name, site, fetch):
    """Names become paths, so they stay inside."""
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match="leads out of its folder"),
    ):
        fetch(url, [name])


def test_zip64_directories_are_read(tmp_path, fetch):
    """An archive whose directory is in the 64-bit form."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "note.txt").write_bytes(b"a note")
    old, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 1000
    try:
        with zipfile.ZipFile(site / "p.zip", "w") as archive:
            for name, data in PICTURES.items():
                archive.writestr(name, data)
    finally:
        zipfile.ZIP64_LIMIT = old
    assert b"PK\6\6" in (site / "p.zip").read_bytes()
    with serving_files(site) as (_, url):
        fetch(url)
    assert members(tmp_path / "out/p.zip") == {name: PICTURES[name] for name in SOME}


def test_a_page_that_lists_its_pictures(tmp_path, monkeypatch):
    """An archive is made of all the pictures the publisher's page shows."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = tmp_path / "site"
    rows = [f"<tr><td><img src='{name}'></td></tr>" for name in SOME]
    (site / "p").mkdir(parents=True)
    (site / "index.html").write_text(f"<html><table>{''.join(rows)}</table></html>")
    for name in SOME:
        (site / name).write_bytes(PICTURES[name])
    (tmp_path / "data").mkdir()
    with serving_files(site) as (_, url):
        pictures = {"listed_in": "index.html", "member_url": f"{url}/{{member}}"}
        files = {"index.html": {"url": f"{url}/index.html"}, "p.zip": pictures}
        registry = yaml.safe_dump({"toy": {"files": files}}, sort_keys=False)
        (tmp_path / "data/sources.yaml").write_text(registry)
        facts = fetch_source(
            "toy", mirror="upstream", out=tmp_path / "out", root=tmp_path, network=QUICK
        )
    assert members(tmp_path / "out/p.zip") == {name: PICTURES[name] for name in SOME}
    assert facts["files"]["p.zip"]["verified"] == "jpeg"


@pytest.mark.parametrize("part", [False, True])
def test_real_pieces_of_coco_whole_and_by_members(part, tmp_path, monkeypatch):
    """Packed as the official zips and served: every byte of every member arrives."""
    if not MINI.is_dir():
        pytest.skip("the pieces of real COCO are not on this machine")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site, files = tmp_path / "site", {}
    site.mkdir()
    for name, folder in {
        "annotations_trainval2017.zip": "annotations",
        "train2017.zip": "train2017",
        "val2017.zip": "val2017",
    }.items():
        method = zipfile.ZIP_STORED if "ann" not in name else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(site / name, "w", method) as archive:
            for path in sorted((MINI / folder).iterdir()):
                archive.write(path, f"{folder}/{path.name}")
        data = (site / name).read_bytes()
        files[name] = {
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "optional": "ann" not in name,
        }
    wanted = sorted(f"train2017/{p.name}" for p in (MINI / "train2017").iterdir())[::3]
    (tmp_path / "data").mkdir()

    def select(_):
        return {"train2017.zip": wanted}

    with serving_files(site) as (server, url):
        for name, file in files.items():
            file["url"] = f"{url}/{name}"
        registry = yaml.safe_dump({"coco2017": {"files": files}}, sort_keys=False)
        (tmp_path / "data/sources.yaml").write_text(registry)
        facts = fetch_source(
            "coco2017", mirror="upstream", out=tmp_path / "out", root=tmp_path,
            network=QUICK, select=select if part else None,
        )  # fmt: skip
        sent = server.sent
    if not part:
        assert {f["verified"] for f in facts["files"].values()} == {"sha256"}
        assert all(
            (tmp_path / "out" / n).read_bytes() == (site / n).read_bytes()
            for n in files
        )
        return
    assert facts["absent"] == ["val2017.zip"]
    got = members(tmp_path / "out/train2017.zip")
    assert got == {name: (MINI / name).read_bytes() for name in wanted}
    own = sum(map(len, got.values())) + files["annotations_trainval2017.zip"]["size"]
    assert sent < 1.1 * own

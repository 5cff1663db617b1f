"""Members of remote archives: what is asked for, what arrives, and what is checked."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from mmclust.core.errors import MmclustError
from mmclust.sources.fetch import Choice, fetch_source
from mmclust.sources.zip_members import batches, keep
from tests.faults.files import WHOLE, serving_files
from tests.faults.toy import tree
from tests.sources.conftest import QUICK
from tests.sources.pictures import PICTURES, SOME, members

MINI = Path(__file__).parents[2] / "../shared/data/coco_mini"


def test_selected_members_arrive(site, fetch_pictures, tmp_path):
    """Byte for byte, stored, in order; the whole archive is not asked for."""
    with serving_files(site) as (server, url):
        facts = fetch_pictures(url)
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


def test_the_same_selection_gives_the_same_bytes(site, fetch_pictures, tmp_path):
    """In any order, again from the server or from what is on disk."""
    with serving_files(site) as (_, url):
        fetch_pictures(url, SOME)
        first = tree(tmp_path / "out")
        shutil.rmtree(tmp_path / "out")
        fetch_pictures(url, SOME[::-1])
    assert tree(tmp_path / "out") == first


def test_a_larger_selection_fetches_the_difference(site, fetch_pictures, tmp_path):
    """What an earlier selection holds is taken over after its CRC-32 is checked."""
    with serving_files(site) as (server, url):
        fetch_pictures(url, SOME)
        server.seen.clear()
        fetch_pictures(url, [*SOME, "p/050.jpg"])
    asked = [headers["Range"] for path, headers in server.seen if path == "/p.zip"]
    assert len(asked) <= 4  # a byte, the directory, one member
    assert len(members(tmp_path / "out/p.zip")) == 6


def test_two_fetchers_of_members_at_once(site, fetch_pictures, tmp_path):
    """Both succeed, though the first to finish tidies up."""
    with serving_files(site) as (_, url):
        fetch_pictures(url, SOME[:1])
        with ThreadPoolExecutor(3) as pool:
            facts = list(
                pool.map(lambda _: fetch_pictures(url, list(PICTURES)), range(3))
            )
    assert len({each["files"]["p.zip"]["sha256"] for each in facts}) == 1
    assert members(tmp_path / "out/p.zip") == PICTURES
    assert not (tmp_path / "out.work").exists()


def test_a_whole_archive_that_is_there_stays(site, fetch_pictures, tmp_path):
    """Whoever has all of it is not given less."""
    with serving_files(site) as (server, url):
        fetch_pictures(url, select=False)
        whole = (tmp_path / "out/p.zip").read_bytes()
        facts = fetch_pictures(url)
    assert (tmp_path / "out/p.zip").read_bytes() == whole
    assert facts["files"]["p.zip"]["from"] == "archive"
    assert server.requests["/p.zip"] == 1


def test_neighbours_share_requests():
    """Gaps of at most 4 % of a batch are bridged, and batches end at 8 MiB."""

    def wanted(start, end):
        return start, end, None

    row = [wanted(at, at + 1000) for at in range(0, 10_000, 1000)]
    assert [len(group) for group in batches(row)] == [10]
    assert [len(group) for group in batches(row[::2])] == [1] * 5
    assert [len(group) for group in batches([row[0], wanted(1040, 2040)])] == [2]
    large = [wanted(at, at + (3 << 20)) for at in range(0, 30 << 20, 3 << 20)]
    assert [len(group) for group in batches(large)] == [2] * 5


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
    with serving_files(site) as (server, url):
        pictures = {"listed_in": "index.html", "member_url": f"{url}/{{member}}"}
        files = {"index.html": {"url": f"{url}/index.html"}, "p.zip": pictures}
        registry = yaml.safe_dump({"toy": {"files": files}}, sort_keys=False)
        (tmp_path / "data/sources.yaml").write_text(registry)
        facts = fetch_source(
            "toy", mirror="upstream", out=tmp_path / "out", root=tmp_path, network=QUICK
        )
        n_requests = sum(server.requests.values())
        again = fetch_source(
            "toy", mirror="upstream", out=tmp_path / "out", root=tmp_path, network=QUICK
        )
    assert members(tmp_path / "out/p.zip") == {name: PICTURES[name] for name in SOME}
    assert facts["files"]["p.zip"]["verified"] == "jpeg"
    assert again == facts
    assert sum(server.requests.values()) == n_requests
    assert "p.zip" not in (tmp_path / "data/sources.lock").read_text()


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
            "contains": {f"{folder}/*.{'json' if 'ann' in name else 'jpg'}": 15},
        }
    wanted = sorted(f"train2017/{p.name}" for p in (MINI / "train2017").iterdir())[::3]
    (tmp_path / "data").mkdir()

    with serving_files(site) as (server, url):
        for name, file in files.items():
            file["url"] = f"{url}/{name}"
        registry = yaml.safe_dump({"coco2017": {"files": files}}, sort_keys=False)
        (tmp_path / "data/sources.yaml").write_text(registry)
        facts = fetch_source(
            "coco2017", mirror="upstream", out=tmp_path / "out", root=tmp_path,
            network=QUICK, choice=Choice((), lambda _: wanted) if part else None,
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


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path):
    (tmp_path / "work").write_text("a file")
    with pytest.raises(MmclustError, match="Cannot write"):
        keep(tmp_path / "work", "p/1.jpg", b"body")


def damage(name, data, asked):
    """Change a picture inside the archive, never the directory."""
    if name != "p.zip" or len(data) < 100 or b"PK\1\2" in data:
        return data
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


def test_a_damaged_member_is_named(site, fetch_pictures, tmp_path):
    """The member, what was expected, and out as before."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/p.zip").write_bytes(b"earlier")
    with (
        serving_files(site, damage) as (_, url),
        pytest.raises(MmclustError) as caught,
    ):
        fetch_pictures(url)
    assert ".jpg is damaged" in str(caught.value)
    assert "(2 attempts)" in str(caught.value)
    assert (tmp_path / "out/p.zip").read_bytes() == b"earlier"


def test_a_server_without_ranges_is_told(site, fetch_pictures):
    """Members cannot be had then; the archive can, whole."""

    def whole(name, data, asked):
        return WHOLE if asked else data

    with (
        serving_files(site, whole) as (_, url),
        pytest.raises(MmclustError, match="does not give parts"),
    ):
        fetch_pictures(url)


def test_another_archive_is_refused(site, fetch_pictures, tmp_path):
    """One whose size is not the registered one is not the same archive."""
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match="The file changed") as caught,
    ):
        fetch_pictures(url, size=10**6)
    assert "expected: 1,000,000 bytes" in str(caught.value)


def test_a_truncated_directory_is_refused(site, fetch_pictures):
    """An archive that ends inside its directory."""
    path = site / "p.zip"
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"PK\1\2") + 100])
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match=r"directory of p\.zip cannot be read"),
    ):
        fetch_pictures(url)


def test_members_that_do_not_exist_are_named(site, fetch_pictures):
    """How many, and which first."""
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match=r"1 missing: p/999\.jpg"),
    ):
        fetch_pictures(url, [*SOME, "p/999.jpg"])


@pytest.mark.parametrize("name", ["../evil.jpg", "/evil.jpg", "p/../../evil.jpg"])
def test_a_selection_cannot_leave_its_folder(name, site, fetch_pictures):
    """Names become paths, so they stay inside."""
    with (
        serving_files(site) as (_, url),
        pytest.raises(MmclustError, match="leads out of its folder"),
    ):
        fetch_pictures(url, [name])


def test_zip64_directories_are_read(tmp_path, fetch_pictures):
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
        fetch_pictures(url)
    assert members(tmp_path / "out/p.zip") == {name: PICTURES[name] for name in SOME}

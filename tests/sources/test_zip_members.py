"""Members of remote archives: what is asked for, what arrives, and what is checked."""

from __future__ import annotations

import hashlib
import shutil
import zipfile

import pytest
import yaml

from mmclust.core.errors import MmclustError
from mmclust.sources.fetch import Choice, fetch_source
from mmclust.sources.zip_members import batches, fetch_members, keep
from tests.conftest import ROOT
from tests.faults.files import WHOLE, serving_files
from tests.faults.toy import tree
from tests.sources.conftest import QUICK
from tests.sources.toy import PICTURES, SOME, members, register

MINI = ROOT / "../shared/data/coco_mini"


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


def test_members_make_room_for_the_next_archives(site, tmp_path, monkeypatch):
    """Those that are packed do not wait for the others on the disk."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    there = []

    def fetch(*args):
        there.append([path.name for path in (tmp_path / "out.work").iterdir()])
        return fetch_members(*args)

    monkeypatch.setattr("mmclust.sources.fetch.fetch_members", fetch)
    with serving_files(site) as (_, url):
        one = {"url": f"{url}/p.zip", "contains": {"p/*.jpg": 60}}
        register(tmp_path, toy={"files": {"a.zip": one, "b.zip": one}})
        fetch_source(
            "toy", mirror="upstream", out=tmp_path / "out", root=tmp_path,
            network=QUICK, choice=Choice((), lambda _: SOME),
        )  # fmt: skip
    assert there == [[], []]


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


def fetch_all(root):
    out = root / "out"
    return fetch_source("toy", mirror="upstream", out=out, root=root, network=QUICK)


def test_a_page_that_lists_its_pictures(tmp_path, monkeypatch):
    """An archive is made of all the pictures the publisher's page shows."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site = tmp_path / "site"
    rows = [f"<tr><td><img src='{name}'></td></tr>" for name in SOME]
    (site / "p").mkdir(parents=True)
    (site / "index.html").write_text(f"<html><table>{''.join(rows)}</table></html>")
    for name in SOME:
        (site / name).write_bytes(PICTURES[name])
    with serving_files(site) as (server, url):
        pictures = {"listed_in": "index.html", "member_url": f"{url}/{{member}}",
                    "contains": {"*.png": len(SOME)}}  # fmt: skip
        files = {"index.html": {"url": f"{url}/index.html"}, "p.zip": pictures}
        register(tmp_path, toy={"files": files})
        facts = fetch_all(tmp_path)
        n_requests = sum(server.requests.values())
        again = fetch_all(tmp_path)
    assert members(tmp_path / "out/p.zip") == {name: PICTURES[name] for name in SOME}
    assert facts["files"]["p.zip"]["verified"] == "jpeg"
    assert facts["files"]["p.zip"]["contains"] == {"*.png": "5 of 5"}
    assert again == facts
    assert sum(server.requests.values()) == n_requests
    assert "p.zip" not in (tmp_path / "data/sources.lock").read_text()


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path):
    (tmp_path / "work").write_text("a file")
    with pytest.raises(MmclustError, match="Cannot write"):
        keep(tmp_path / "work", "p/1.jpg", b"body")


def damage(name, data, asked):
    """Change a picture inside the archive, never the directory."""
    if name != "p.zip" or len(data) < 100 or b"PK\1\2" in data:
        return data
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


def truncate(path):
    """End the archive inside its directory."""
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"PK\1\2") + 100])


def whole(name, data, asked):
    """Answer a range with the whole file."""
    return WHOLE if asked else data


OUTSIDE = ["leads out of its folder"]
REFUSED = {
    "a damaged member": (damage, {}, [".jpg is damaged", "(2 attempts)"]),
    "no ranges": (whole, {}, ["The server does not give parts of the archive"]),
    "a truncated directory": (None, {}, ["directory of p.zip cannot be read"]),
    "another archive": (
        None, {"size": 10**6}, ["The file changed", "expected: 1,000,000 bytes"],
    ),
    "a missing member": (
        None, {"names": [*SOME, "p/999.jpg"]}, ["1 missing: p/999.jpg"],
    ),
    "above": (None, {"names": ["../evil.jpg"]}, OUTSIDE),
    "absolute": (None, {"names": ["/evil.jpg"]}, OUTSIDE),
    "below and above": (None, {"names": ["p/../../evil.jpg"]}, OUTSIDE),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_had_is_told(case, site, fetch_pictures, tmp_path):
    """What is wrong, and the archive as before."""
    fault, options, parts = REFUSED[case]
    (tmp_path / "out").mkdir()
    (tmp_path / "out/p.zip").write_bytes(b"earlier")
    if case == "a truncated directory":
        truncate(site / "p.zip")
    with serving_files(site, fault) as (_, url), pytest.raises(MmclustError) as caught:
        fetch_pictures(url, **options)
    for part in parts:
        assert part in str(caught.value)
    assert (tmp_path / "out/p.zip").read_bytes() == b"earlier"


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


def test_real_pieces_of_coco(tmp_path, monkeypatch):
    """159 pictures and their annotations: packed, served, taken whole and in part."""
    if not MINI.is_dir():
        pytest.skip("the pieces of real COCO are not on this machine")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    site, source = tmp_path / "site", "coco2017"
    packed = fetch_source(
        source, mirror="upstream", out=site, root=ROOT, from_dir=MINI
    )["files"]
    notes = [note for f in packed.values() for note in f["contains"].values()]
    assert notes == ["4 of 6: a part", "80 of 118287: a part", "79 of 5000: a part"]
    got = {name: members(site / name) for name in packed}
    assert sum(map(len, got.values())) == 163
    for name, data in [item for held in got.values() for item in held.items()]:
        assert data == (MINI / name).read_bytes()
    wanted = list(got["train2017.zip"])[::3]
    registry = yaml.safe_load((ROOT / "data/sources.yaml").read_text())[source]
    with serving_files(site) as (server, url):
        files = {
            name: {
                "url": f"{url}/{name}",
                "sha256": packed[name]["sha256"],
                "contains": registry["files"][name]["contains"],
            }
            for name in packed
        }
        register(tmp_path, coco2017={"files": files})
        facts = fetch_source(
            source, mirror="upstream", out=tmp_path / "out", root=tmp_path,
            network=QUICK, choice=Choice((), lambda _: wanted),
        )  # fmt: skip
        sent = server.sent
    assert facts["absent"] == ["val2017.zip"]
    part = members(tmp_path / "out/train2017.zip")
    assert part == {name: got["train2017.zip"][name] for name in wanted}
    annotations = packed["annotations_trainval2017.zip"]["size"]
    assert sent < 1.1 * (sum(map(len, part.values())) + annotations)

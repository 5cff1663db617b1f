from __future__ import annotations

import hashlib
import zipfile

import pytest
import yaml

from mmclust.sources.fetch import Choice, fetch_source
from mmclust.sources.http_request import Network
from tests.sources.toy import ARCHIVES, PICTURES, SOME, register

QUICK = Network(3, read=2, attempts=2, first=0.01)


@pytest.fixture
def root(tmp_path):
    """Make a repository whose source `toy` has the three archives upstream."""
    files = {
        name: {
            "url": f"http://127.0.0.1:9/{name}",
            "size": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "contains": {f"{name[:-4]}/*.{'json' if i == 0 else 'jpg'}": 2 + 3 * i},
            "optional": i > 0,
        }
        for i, (name, data) in enumerate(ARCHIVES.items())
    }
    (tmp_path / "data/sample/toy").mkdir(parents=True)
    register(tmp_path, toy={"files": files})
    for name, data in ARCHIVES.items():
        (tmp_path / "data/sample/toy" / name).write_bytes(data)
        del files[name]["contains"], files[name]["optional"]
        files[name]["url"] = f"toy/{name}"
    sample = {"toy": {"protocol": {"coco_all.min_images": 20}, "files": files}}
    (tmp_path / "data/sample/registry.yaml").write_text(
        yaml.safe_dump(sample, sort_keys=False)
    )
    return tmp_path


@pytest.fixture
def fetch(root):
    def run(mirror="sample", name="toy", **options):
        return fetch_source(name, mirror=mirror, out=root / "out", root=root, **options)

    return run


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
def fetch_pictures(tmp_path, monkeypatch):
    """Return fetch_pictures(url, names): note.txt, and those members of p.zip."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run(url, names=tuple(SOME), *, size=None, select=True):
        data = (tmp_path / "site/p.zip").read_bytes()
        picture = {
            "urls": [f"{url}/p.zip"],
            "size": size or len(data),
            "contains": {"p/*.jpg": 60},
            "optional": True,
        }
        files = {"note.txt": {"url": f"{url}/note.txt"}, "p.zip": picture}
        register(tmp_path, toy={"files": files})
        return fetch_source(
            "toy",
            mirror="upstream",
            out=tmp_path / "out",
            root=tmp_path,
            network=QUICK,
            choice=Choice((), lambda _: names) if select else None,
        )

    return run

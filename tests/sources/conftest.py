from __future__ import annotations

import hashlib

import pytest
import yaml

from mmclust.sources.fetch import fetch_source
from tests.sources.toy import ARCHIVES


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
    registry = yaml.safe_dump({"toy": {"files": files}}, sort_keys=False)
    (tmp_path / "data/sources.yaml").write_text(registry)
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

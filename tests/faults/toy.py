"""A source of the misbehaving server, and a look at what a fetch left."""

from __future__ import annotations

import hashlib

import yaml

from tests.faults.misbehaving import BODY


def write_registry(root, urls, facts=None, **source):
    """Write a registry with the source `toy`; a url may be a list of mirrors."""
    if facts is None:
        facts = {"size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}
    files = {
        name: {**facts, "urls": [url] if isinstance(url, str) else list(url)}
        for name, url in urls.items()
    }
    (root / "data").mkdir(exist_ok=True)
    text = yaml.safe_dump({"toy": {**source, "files": files}}, sort_keys=False)
    path = root / "data/sources.yaml"
    if not path.exists() or path.read_text() != text:  # others may be reading it
        path.write_text(text)


def tree(folder):
    """Return every file's bytes by relative path, temporary ones included."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }

"""The layout in which COCO-cross, COCO-all and Pascal Sentences are handed around."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mmclust.export.content import place, require_distinct, require_plain, write_images

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.export.content import Content


def raw_paths(content: Content) -> tuple[list[str], list[str]]:
    """Return where images and texts go, below ``raw``."""
    content.require_images()
    content.require_classes("raw")
    manifest = content.manifest
    require_plain(set(content.names), manifest.folder)
    require_plain(manifest.image_ids, manifest.folder, folders=True)
    stems = [f"{n}/{i}" for n, i in zip(content.names, manifest.image_ids, strict=True)]
    suffixes = [PurePosixPath(m).suffix for m in manifest.table["member"].to_pylist()]
    images = [f"images/{s}{x}" for s, x in zip(stems, suffixes, strict=True)]
    texts = [f"texts/{stem}.txt" for stem in stems]
    require_distinct([*images, *texts], manifest.folder)
    return images, texts


def export_raw(content: Content, out: Path) -> tuple[Path, bool]:
    """Write ``raw/images/<class>/<id>.jpg`` and ``raw/texts/<class>/<id>.txt``.

    Images keep their bytes; texts have one stripped caption a line, in UTF-8. An
    inner newline is kept, and makes a line more: so says the layout.
    """
    images, texts = raw_paths(content)

    def fill(folder: Path) -> None:
        write_images(content.manifest, folder, images)
        for text, captions in zip(texts, content.manifest.captions, strict=True):
            path = folder / text
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes("".join(f"{c.strip()}\n" for c in captions).encode())

    return out / "raw", place(out / "raw", fill)

"""The layout in which COCO-cross, COCO-all and Pascal Sentences are handed around."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mmclust.benchmarks._export_content import require_plain
from mmclust.benchmarks._export_images import write_images
from mmclust.benchmarks._export_place import place

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.benchmarks._export_content import Content


def export_raw(content: Content, out: Path) -> tuple[Path, bool]:
    """Write ``raw/images/<class>/<id>.jpg`` and ``raw/texts/<class>/<id>.txt``.

    Images keep their bytes; texts have one stripped caption a line, in UTF-8. An
    inner newline is kept, and makes a line more: so says the layout.

    Returns
    -------
    target : pathlib.Path
        ``out/raw``.
    written : bool
        False when the same was there.
    """
    content.require_images()
    content.require_classes("raw")
    manifest = content.manifest
    require_plain([*set(content.names), *manifest.image_ids], manifest.folder)
    stems = [f"{n}/{i}" for n, i in zip(content.names, manifest.image_ids, strict=True)]
    suffixes = [PurePosixPath(m).suffix for m in manifest.table["member"].to_pylist()]
    images = [f"images/{s}{x}" for s, x in zip(stems, suffixes, strict=True)]

    def fill(folder: Path) -> None:
        write_images(manifest, folder, images)
        for stem, captions in zip(stems, manifest.captions, strict=True):
            path = folder / "texts" / f"{stem}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes("".join(f"{c.strip()}\n" for c in captions).encode())

    return out / "raw", place(out / "raw", fill)

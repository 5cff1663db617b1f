"""Whose captions an encoder reads: the publisher's, or others of the same form.

A file of captions has a row per image, ``image_id`` and ``captions`` (list of str), in
manifest order, and says in its metadata where they come from. Captions that the
publisher gives besides lie beside the manifest as ``captions_<name>.parquet``; those
that a model made, in ``data/captions/<benchmark>/<name>.parquet``.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError
from mmclust.core.io import file_digest, read_table, write_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest

PUBLISHER = "publisher"


def source_of(params: Any) -> str:
    """Return whose captions an encoder's params ask for."""
    found = set(_named(asdict(params)))
    if len(found) > 1:
        raise MmclustError(
            "The members of a fusion read different captions",
            where="captions of the members in params.yaml",
            expected="one source for all",
            found=", ".join(sorted(found)),
        )
    return next(iter(found), PUBLISHER)


def _named(options: Mapping[str, Any]) -> Iterator[str]:
    """Yield the captions that options name: an encoder's own, or its members'."""
    for key, value in options.items():
        if key == "captions":
            yield str(value)
        elif isinstance(value, dict):
            yield from _named(value)


def captions_for(
    manifest: Manifest, source: str, made: Path
) -> tuple[Path | None, list[list[str]], dict[str, Any]]:
    """Return the file of a source's captions, the captions, and what is known of them.

    The publisher's are the manifest's: their file is ``None``.
    """
    if source == PUBLISHER:
        return None, manifest.captions, {"source": source}
    paths = [manifest.folder / f"captions_{source}.parquet", made / f"{source}.parquet"]
    path = next((p for p in paths if p.is_file() and read_table(p)[0].num_rows), None)
    if path is None:
        raise MmclustError(
            f"{manifest.benchmark} has no captions {source!r}",
            where=" or ".join(str(path) for path in paths),
            expected="a file of captions",
            found="none",
            do=f"make them: mmclust caption {manifest.benchmark} {source}; or choose "
            "captions: publisher",
        )
    path = path.resolve()
    captions, meta = _read(path, manifest)
    return path, captions, {"source": source, "sha256": file_digest(path), **meta}


def reading(manifest: Manifest, path: Path | None) -> Manifest:
    """Return a manifest with other captions: those of a file, unless it is ``None``."""
    if path is None:
        return manifest
    import pyarrow as pa

    captions, _ = _read(path, manifest)
    column = pa.array(captions, pa.list_(pa.string()))
    at = manifest.table.column_names.index("captions")
    table = manifest.table.set_column(at, "captions", column)
    return replace(manifest, table=table)


def has_caption(texts: Sequence[str]) -> bool:
    """Whether one of an image's captions says anything."""
    return any(text.strip() for text in texts)


def _read(path: Path, manifest: Manifest) -> tuple[list[list[str]], dict[str, Any]]:
    """Return captions in manifest order, and the file's metadata."""
    table, meta = read_table(path)
    by_id = dict(
        zip(table["image_id"].to_pylist(), table["captions"].to_pylist(), strict=True)
    )
    if meta.get("manifest", manifest.digest) != manifest.digest or not (
        by_id.keys() >= set(manifest.image_ids)
    ):
        raise MmclustError(
            "These captions were made for another manifest",
            where=path,
            expected=f"manifest {manifest.digest[:16]}… ({len(manifest)} images)",
            found=f"manifest {str(meta.get('manifest', 'not named'))[:16]}… "
            f"({len(by_id)} images)",
            do=f"make them again: mmclust caption {manifest.benchmark} {path.stem}",
        )
    return [by_id[i] for i in manifest.image_ids], meta


def write_captions(
    path: Path,
    manifest: Manifest,
    captions: Sequence[Sequence[str]],
    origin: Mapping[str, Any],
) -> None:
    """Write a file of captions."""
    import pyarrow as pa

    table = pa.table(
        {"image_id": manifest.image_ids, "captions": [list(c) for c in captions]},
        schema=pa.schema({"image_id": pa.string(), "captions": pa.list_(pa.string())}),
    )
    head = {"benchmark": manifest.benchmark, "manifest": manifest.digest}
    write_table(path, table, {**head, **origin})

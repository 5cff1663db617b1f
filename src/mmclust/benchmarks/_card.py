"""The data card: what a benchmark is, in a README that the hub reads as well.

Equal builds give equal bytes: no date, no path, no version of a library. It names
counts and classes, never the class of an image.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mmclust.core.images import Images
    from mmclust.core.registry import Source


SHOWN = 12  # entries of a long note that are spelled out; the summary has all
OF_SAMPLE = (
    "> **Built from the built-in sample.** Pictures and captions were drawn and "
    "composed by rules, in the publisher's format. They are not the published "
    "data, and scores on them are for trying the pipeline."
)
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"),
          (10**6, "100K<n<1M"))  # fmt: skip


def data_card(
    plugin_doc: str | None,
    summary: Mapping[str, Any],
    origins: Sequence[Source],
    *,
    sample: bool,
    thumbnails: bool,
) -> str:
    """Return the card in Markdown, with the hub's front matter."""
    doc = inspect.cleandoc(plugin_doc or "").strip()
    title, _, about = doc.partition("\n\n")
    notes = summary["notes"].items()
    notes = [f"- {_cell(k.replace('_', ' '))}: {_plain(v)}" for k, v in notes]
    parts = [
        _front_matter(summary, origins),
        f"# {summary['benchmark']}",
        " ".join(title.split()),
        *(["![Some of its pictures](thumbnails.jpg)"] if thumbnails else []),
        *([OF_SAMPLE] if sample else []),
        "## Protocol",
        about or "As the first line says.",
        _counts(summary),
        "## Splits",
        _splits(summary),
        "## Classes",
        _classes(summary["per_class"]),
        "## What was left out, and other notes",
        "\n".join(notes) or "None.",
        *_duplicates(summary.get("duplicates")),
        "## Sources",
        _sources(summary, origins),
        "## Licence and citation",
        _terms(origins, sample),
        f"Built by `mmclust build {summary['benchmark']}`.",
        f"Manifest: `{summary['manifest']}`",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(summary: Mapping[str, Any], origins: Sequence[Source]) -> str:
    """Return the YAML block that the hub reads, between its lines of dashes."""
    import yaml

    tasks = ["image-classification"] if summary["n_classes"] else []
    tasks += ["image-to-text"] if summary["captions"] else []
    licensed = any(origin.licence for origin in origins)
    size = next((s for most, s in _SIZES if summary["images"] < most), "n>1M")
    facts = {
        "pretty_name": summary["benchmark"],
        "license": "other" if licensed else "unknown",
        **({"license_name": "see-below"} if licensed else {}),
        **({"task_categories": tasks} if tasks else {}),
        "size_categories": [size],
        "tags": ["clustering", "mmclust"],
    }
    return f"---\n{yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)}---"


def _counts(summary: Mapping[str, Any]) -> str:
    each = summary["captions_per_image"]
    captions = f"{summary['captions']:,}"
    if summary["captions"]:
        captions += f" ({each['min']} to {each['max']} an image, mean {each['mean']:g})"
    expected = summary["expected"]
    verdict = {
        True: "equal, class by class",
        False: "**different**, allowed",
        None: f"not compared: {expected.get('why')}",
    }[expected["matches"]]
    rows = [
        ("version of the protocol", summary["protocol"]),
        ("images", f"{summary['images']:,}"),
        ("classes", f"{summary['n_classes']:,}"),
        ("captions", captions),
        ("against the published counts", verdict),
    ]
    return _table(("", ""), rows)


def _splits(summary: Mapping[str, Any]) -> str:
    roles = {"fit": "fitted on", "evaluate": "clustered and scored"}
    rows = []
    for split, n in summary["splits"].items():
        held = ", ".join(words for key, words in roles.items() if split in summary[key])
        rows.append((split, f"{n:,}", held or "neither fitted on nor scored"))
    return _table(("split", "images", "role"), rows)


def _classes(per_class: Mapping[str, int]) -> str:
    if not per_class:
        return "It has none."
    rows = [(name, f"{count:,}") for name, count in per_class.items()]
    return (
        f"<details><summary>Images of each of the {len(rows):,} classes</summary>\n\n"
        f"{_table(('class', 'images'), rows)}\n\n</details>"
    )


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        text = some((f"{k}: {_plain(v)}" for k, v in value.items()), SHOWN)
        return _cell(text) or "none"
    if isinstance(value, (list, tuple)):
        return _cell(some(map(_plain, value), SHOWN)) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not stated"}[value]
    return f"{value:,}" if isinstance(value, int) else _cell(str(value))


def _duplicates(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    keys = ("pairs", "images", "within_split", "across_splits", "across_classes")
    rows = [
        (kind, found[kind]["by"], *(f"{found[kind][key]:,}" for key in keys))
        for kind in ("exact", "near")
    ]
    head = ("", "by", *(key.replace("_", " ") for key in keys))
    text = [_table(head, rows)]
    if found["exact"]["pairs"] or found["near"]["pairs"]:
        text.append("`duplicates.parquet` lists the pairs.")
    bad = found["not_decoded"]
    if bad["images"]:
        listed = _cell(some(bad["first"]))
        text.append(
            f"Files that are no readable picture: {bad['images']:,} ({listed})."
        )
    return ["## Duplicates", "\n\n".join(text)]


def _sources(summary: Mapping[str, Any], origins: Sequence[Source]) -> str:
    lines = [
        f"- {_cell(o.title or o.name)}" + (f", <{o.homepage}>" if o.homepage else "")
        for o in origins
    ]
    rows = [(name, f"`{digest}`") for name, digest in summary["sources"].items()]
    return "\n".join(lines) + "\n\n" + _table(("file read", "sha256"), rows)


def _terms(origins: Sequence[Source], sample: bool) -> str:
    lines = []
    if sample and origins:
        lines.append("Of the published data, none of which is in this build:")
    for origin in origins:
        licence = origin.licence or "Not known here; see its publisher."
        lines.append(f"**{_cell(origin.title or origin.name)}.** {_cell(licence)}")
        if origin.citation:
            lines.append(f"> {_cell(origin.citation)}")
    return "\n\n".join(lines) or "Your own files; nothing is known of their terms."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    """Return text that stays in its cell and on its line, and is no markup."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return plain.replace("\\", "\\\\").replace("|", "\\|")


PICTURES = 12
SIDE = 96  # pixels
QUALITY = 80


def thumbnail_strip(images: Images, ids: Sequence[str]) -> bytes | None:
    """Return a JPEG of the middle squares of up to twelve pictures, side by side.

    Which ones, the sha256 of their ids decides: the same on every machine, and no
    class more than its share.
    """
    from PIL import Image, ImageOps

    order = sorted(
        range(len(ids)), key=lambda row: hashlib.sha256(ids[row].encode()).digest()
    )
    squares: list[Image.Image] = []
    for row in order[: 10 * PICTURES]:
        if len(squares) == PICTURES:
            break
        # A picture that does not decode is counted elsewhere.
        with contextlib.suppress(MmclustError):
            picture = Image.fromarray(images.read(row))
            square = ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.LANCZOS)
            squares.append(square)
    if not squares:
        return None
    strip = Image.new("RGB", (SIDE * len(squares), SIDE))
    for at, square in enumerate(squares):
        strip.paste(square, (SIDE * at, 0))
    buffer = io.BytesIO()
    strip.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return buffer.getvalue()

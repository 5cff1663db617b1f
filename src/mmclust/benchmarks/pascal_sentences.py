"""Pascal Sentences: 1,000 pictures of 20 classes, 50 of each, five sentences each.

A picture's class is the folder that the publisher's page shows it from.

Source: Rashtchian et al., NAACL HLT Workshop 2010; classes are those of PASCAL VOC.
There are no splits: all is fitted on and evaluated.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mmclust.benchmarks._image_places import captioned_rows
from mmclust.benchmarks._source_files import container_notes, faulty, lacking, refuse
from mmclust.benchmarks._splits import NoParams as Params
from mmclust.benchmarks._splits import splits_of
from mmclust.core.archives import check_folder
from mmclust.core.errors import MmclustError, some
from mmclust.core.types import Built

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SOURCE = "pascal_sentences"
DEFAULT_SPLIT = "all"
PAGE = "index.html"
CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant",
    "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
AGAIN = "fetch pascal_sentences again, or give the publisher's page with --raw"
_faulty = partial(faulty, do=AGAIN)
EACH = 50
CAPTIONS = 5


def expected(params: Params, split: str) -> dict[str, int] | None:
    """Return 50 images of each of the 20 classes."""
    del params, split
    return dict.fromkeys(CLASSES, EACH)


def build(raw: Path, params: Params, *, split: str, images: bool) -> Built:
    """Read the page, and find its pictures."""
    del params
    splits_of(split, ["all"])
    page = _page(raw)
    data = page.read_bytes()
    pictures, encoding = parse_page(data, str(page))
    files = {each.image_id: f"{each.name}/{each.file}" for each in pictures}
    captions = {each.image_id: each.captions for each in pictures}
    splits = dict.fromkeys(files, "train")
    rows = captioned_rows([raw], files, splits, captions, images=images, anywhere=True)
    notes = {
        "page": page.name,
        "encoding": encoding,
        "images_without_five_captions": {
            image_id: len(texts)
            for image_id, texts in sorted(captions.items())
            if len(texts) != CAPTIONS
        },
        "image_files": container_notes(raw, rows) or "not looked for",
    }
    labels = {each.image_id: each.name for each in pictures}
    sources = {PAGE: hashlib.sha256(data).hexdigest()}
    return Built(rows, labels, protocol="1", sources=sources, notes=notes)


def _page(raw: Path) -> Path:
    """Return the page: index.html, or the only one there is."""
    check_folder(raw)
    if (raw / PAGE).is_file():
        return raw / PAGE
    endings = {".html", ".htm"}
    pages = [p for p in raw.iterdir() if p.suffix.lower() in endings and p.is_file()]
    if not pages:
        raise lacking([raw], "The publisher's page", [PAGE, "one other .html file"])
    if len(pages) > 1:
        raise MmclustError(
            "There are several pages",
            where=raw,
            expected=f"{PAGE}, or one other .html file",
            found=some(sorted(path.name for path in pages)),
            do=f"leave the publisher's page alone there, or call it {PAGE}",
        )
    return pages[0]


CELLS = ".//table/tr/td | .//table/tbody/tr/td"
"""A browser that saves the page adds ``tbody``."""
_CHARSET = re.compile(rb"""<meta\b[^>]*?charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_BREAK = re.compile(r"[^\S\n]*\n\s*")


@dataclass(frozen=True)
class Sentences:
    """A picture of the page; its folder is its class."""

    name: str
    file: str
    captions: tuple[str, ...]

    @property
    def image_id(self) -> str:
        """The file's name without its ending, as in ``2008_000008``."""
        return PurePosixPath(self.file).stem


def parse_page(data: bytes, where: str) -> tuple[list[Sentences], str]:
    """Read the page, and say in which encoding it was.

    It is a table, with a row per picture and in it a nested table of captions: in
    UTF-8, else in what it declares, else in Windows-1252, as browsers take such a page.

    It is of 2010 and need not close its cells: it is read as a browser's lenient parser
    would read it (libxml2), and rows and cells are then found by their place.
    """
    declared = _CHARSET.search(data)
    tried = ["utf-8", declared[1].decode() if declared else "windows-1252"]
    for encoding in tried:
        try:
            text = data.decode(encoding).removeprefix("\ufeff")
            break
        except (UnicodeError, LookupError) as error:
            why = error
    else:
        raise _faulty("The page is not text", where, " or ".join(tried), why)
    pictures = list(_rows(text, where))
    if not pictures:
        raise _faulty(
            "The page has no pictures with sentences",
            where,
            "table rows with <img src=class/name.jpg> and a nested table of sentences",
            f"{len(data):,} bytes without",
        )
    _check(pictures, where)
    return pictures, encoding


def _rows(text: str, where: str) -> Iterator[Sentences]:
    """Yield what the rows hold that show a picture; others, nested ones too, do not."""
    from lxml import etree, html

    # As bytes: lxml refuses text that declares an encoding of its own.
    parser = html.HTMLParser(encoding="utf-8", no_network=True)
    try:
        parsed = html.document_fromstring(text.encode(), parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise _faulty("The page is not HTML", where, "an HTML page", error) from error
    for row in parsed.xpath("//body//tr"):
        image = row.find(".//img")
        source = (image.get("src") or "").strip() if image is not None else ""
        path = PurePosixPath(source)
        if len(path.parts) < 2:  # noqa: PLR2004 - a folder and a name
            continue
        if len(path.parts) > 2 or ".." in path.parts or path.is_absolute():  # noqa: PLR2004
            raise _faulty(
                "A picture of the page lies elsewhere",
                where,
                "src=class/name.jpg, relative to the page",
                source,
            )
        cells = (cell.text_content().strip() for cell in row.xpath(CELLS))
        # In HTML a line break is a blank.
        captions = tuple(_BREAK.sub(" ", cell) for cell in cells if cell)
        yield Sentences(path.parts[0], path.parts[1], captions)


def _check(pictures: Sequence[Sentences], where: str) -> None:
    by_id: dict[str, list[Sentences]] = {}
    for picture in pictures:
        by_id.setdefault(picture.image_id, []).append(picture)
    twice = [i for i, each in by_id.items() if len(each) > 1]
    classes = {i: sorted({p.name for p in by_id[i]}) for i in twice}
    mixed = [f"{i} in {' and '.join(c)}" for i, c in classes.items() if len(c) > 1]
    bare = [picture.image_id for picture in pictures if not picture.captions]
    names = {picture.name for picture in pictures}
    saved = [name for name in names if len(names) == 1 and name.endswith("_files")]
    for wrong, what, expected in (
        (saved, "The page was saved by a browser, which renamed its folders",
         "the publisher's own page, with a folder for each class"),
        (mixed, "A picture is in two classes", "each in one"),
        (twice, "A picture is listed twice", "each once"),
        (bare, "Pictures have no sentences", "a nested table of them in each row"),
    ):  # fmt: skip
        refuse(wrong, what, where, expected, "", AGAIN)

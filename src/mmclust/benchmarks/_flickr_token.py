"""The publisher's caption file of Flickr30K, ``results_20130124.token``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(r"([^\s/#]+)\.jpg#(\d+)\t([^\r]*)")


def parse_token(data: bytes, where: str) -> tuple[dict[str, tuple[str, ...]], int]:
    """Read the publisher's captions, ``<id>.jpg#<n>``, a tab, the caption.

    Parameters
    ----------
    data
        The file.
    where
        Its name, for messages.

    Returns
    -------
    captions
        Of each image, by their numbers.
    n_empty
        How many were nothing but white space, and were left out.

    Raises
    ------
    MmclustError
        Naming the line that is not UTF-8, has another form (a caption with a line
        break makes one), or repeats ``<id>#<n>``.
    """
    numbered: dict[str, dict[int, str]] = {}
    for at, line in _lines(data, where):
        match = _LINE.fullmatch(line)
        if match is None:
            raise _bad_line(where, at, "<id>.jpg#<n>, a tab, the caption",
                            repr(line[:60]), "a caption must be on one line: if it "
                            "has a line break, join the two")  # fmt: skip
        image_id, number, text = match[1], int(match[2]), match[3].strip()
        if number in numbered.setdefault(image_id, {}):
            raise _bad_line(where, at, "each caption once", f"{image_id}.jpg#{number} "
                            "for the second time", "remove one of the two")  # fmt: skip
        numbered[image_id][number] = text
    captions = {
        image_id: tuple(text for _, text in sorted(texts.items()) if text)
        for image_id, texts in numbered.items()
    }
    n_lines = sum(map(len, numbered.values()))
    return captions, n_lines - sum(map(len, captions.values()))


def _lines(data: bytes, where: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers."""
    for at, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            text = line.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            found = f"{error.object[error.start]:#04x} at byte {error.start + 1}"
            raise _bad_line(where, at, "text in UTF-8", found,
                            "convert the file to UTF-8") from error  # fmt: skip
        if text.strip():
            yield at, text


def _bad_line(where: str, at: int, expected: str, found: str, do: str) -> MmclustError:
    return MmclustError(
        "A line of Flickr30K's captions cannot be read",
        where=f"{where}, line {at:,}",
        expected=expected,
        found=found,
        do=do,
    )

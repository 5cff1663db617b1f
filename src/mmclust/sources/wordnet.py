"""The noun list that TAC and DXMC choose from, made of WordNet 3.0.

Source: the file ``WordNetNouns.csv`` of the TAC release is exactly this: one row per
lemma of each noun synset in the order of ``data.noun``, with the definition.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tarfile
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import held, read_record, require_file, write_bytes

if TYPE_CHECKING:
    from pathlib import Path

SHA256 = "deff9dec810a2ff5c8012c61b5e052e7ba5e62476da9acb6ce8e68df01fd8e5d"
N_ROWS = 146_347
MEMBER = "WordNet-3.0/dict/data.noun"
ARCHIVE = "WordNet-3.0.tar.gz"
SAMPLE_LIST = "WordNetNouns.csv"  # the built-in sample's, ready made


def noun_list(data_noun: bytes) -> bytes:
    """Return the noun list."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["word", "definition"])
    for line in data_noun.decode().splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields, _, gloss = line.partition("|")
        words = fields.split()
        definition = re.sub(r'"[^"]*"', "", gloss.strip()).strip("; ")
        # Offset, file, part of speech, count (hexadecimal), then word and sense.
        for i in range(int(words[3], 16)):
            rows.writerow([words[4 + 2 * i], definition])
    return text.getvalue().encode()


def write_nouns(archive: Path, out: Path) -> int:
    """Make the noun list from WordNet's archive, read in place."""
    do = "run `mmclust fetch wordnet --repair`"
    if archive.is_dir():
        # Files of two mirrors may lie side by side; source.json says whose turn it is.
        note = archive / "source.json"
        facts = read_record(note, {"mirror": str}, do=do) if note.is_file() else {}
        if facts.get("mirror") == "sample":
            files = read_record(note, {"files": dict}, do=do)["files"]
            known = held(note, files, {SAMPLE_LIST: dict}, do)[SAMPLE_LIST]
            sha256 = held(note, known, {"sha256": str}, do)["sha256"]
            nouns = require_file(archive / SAMPLE_LIST, do).read_bytes()
            digest = hashlib.sha256(nouns).hexdigest()
            if digest != sha256:
                raise MmclustError(
                    "The nouns are not those of the built-in sample",
                    where=archive / SAMPLE_LIST,
                    expected=f"sha256 {sha256}",
                    found=f"sha256 {digest}",
                    do=do,
                )
            write_bytes(out, nouns)
            return sum(1 for _ in csv.reader(io.StringIO(nouns.decode()))) - 1
        archive /= ARCHIVE
    require_file(archive, "run `mmclust fetch wordnet --mirror upstream`")
    try:
        with tarfile.open(archive) as opened:
            member = opened.extractfile(MEMBER)
            nouns = noun_list(b"" if member is None else member.read())
    except (tarfile.TarError, KeyError, OSError, EOFError) as error:
        raise MmclustError(
            "WordNet's archive cannot be read",
            where=archive,
            expected=f"a complete archive with {MEMBER}",
            found=error,
            do=do,
        ) from error
    digest = hashlib.sha256(nouns).hexdigest()
    if digest != SHA256:
        raise MmclustError(
            "The nouns are not those of WordNet 3.0",
            where=archive,
            expected=f"{N_ROWS:,} rows, sha256 {SHA256}",
            found=f"{nouns.count(10) - 1:,} rows, sha256 {digest}",
            do="use WordNet 3.0, not another version",
        )
    write_bytes(out, nouns)
    return N_ROWS

"""Nouns of WordNet and how near they are to each other, from the file data.noun."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.io import require_file

if TYPE_CHECKING:
    from pathlib import Path

HYPERNYMS = ("@", "@i")
"""Pointers to what a synset is a kind, or an instance, of."""


@dataclass(frozen=True)
class WordNet:
    """The nouns of WordNet.

    Parameters
    ----------
    senses
        Lemma (lower case, underscores) to its synsets, by byte offset.
    parents
        Synset to its hypernyms.
    """

    senses: dict[str, list[int]]
    parents: dict[int, list[int]]

    def path_similarity(self, one: str, other: str) -> float | None:
        """Return 1 / (1 + edges on the shortest path through hypernyms).

        Parameters
        ----------
        one, other
            Nouns; blanks and case do not matter, and a plural in s is looked up
            without it where it has no entry. Of several senses the nearest two
            count (Pedersen et al., WordNet::Similarity, 2004).

        Returns
        -------
        float or None
            In (0, 1], 1 for synonyms; None when a word is unknown or no path
            joins them.
        """
        above = self._above(one), self._above(other)
        common = above[0].keys() & above[1].keys()
        lengths = [above[0][synset] + above[1][synset] for synset in common]
        return 1 / (1 + min(lengths)) if lengths else None

    def knows(self, word: str) -> bool:
        """Whether there is such a noun."""
        return bool(self._senses_of(word))

    def _senses_of(self, word: str) -> list[int]:
        key = "_".join(word.lower().replace("_", " ").split())
        return self.senses.get(key) or self.senses.get(key.removesuffix("s"), [])

    def _above(self, word: str) -> dict[int, int]:
        """Return every ancestor of every sense, with the fewest steps to it."""
        steps: dict[int, int] = {}
        level = self._senses_of(word)
        distance = 0
        while level:
            fresh = [synset for synset in dict.fromkeys(level) if synset not in steps]
            steps |= dict.fromkeys(fresh, distance)
            level = [up for synset in fresh for up in self.parents.get(synset, ())]
            distance += 1
        return steps


def parse_nouns(data: bytes, where: object = None) -> WordNet:
    """Read the format of ``data.noun`` (WordNet's manual page wndb(5)).

    Parameters
    ----------
    data
        The file.
    where
        Its path, for messages.

    Raises
    ------
    MmclustError
        When a line is not of this format.
    """
    senses: dict[str, list[int]] = {}
    parents: dict[int, list[int]] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
        if line.startswith("  ") or not line:  # the licence
            continue
        try:
            fields = line.partition("|")[0].split()
            synset, n_words = int(fields[0]), int(fields[3], 16)
            after = 4 + 2 * n_words
            for word in fields[4:after:2]:
                senses.setdefault(word.lower(), []).append(synset)
            first = after + 1
            last = first + 4 * int(fields[after])
            pointers = zip(fields[first:last:4], fields[first + 1 : last : 4],
                           strict=True)  # fmt: skip
            parents[synset] = [int(to) for kind, to in pointers if kind in HYPERNYMS]
        except (ValueError, IndexError) as error:
            raise MmclustError(
                "This is not WordNet's file of nouns",
                where=f"{where}, line {number}",
                expected="offset, file, n, number of words, words, pointers",
                found=line[:60],
                do="give data.noun of WordNet 3.0 (`mmclust fetch wordnet`)",
            ) from error
    return WordNet(senses, parents)


def read_wordnet(path: Path) -> WordNet:
    """Read ``data.noun``, or find it in an archive ``….tar.gz``.

    Raises
    ------
    MmclustError
        When the file is missing or is neither.
    """
    require_file(path, do="correct score.wordnet, or run `mmclust fetch wordnet`")
    if not tarfile.is_tarfile(path):
        return parse_nouns(path.read_bytes(), path)
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.endswith("dict/data.noun"):
                file = archive.extractfile(member)
                assert file is not None
                return parse_nouns(file.read(), path)
    raise MmclustError(
        "The archive has no file of nouns",
        where=path,
        expected="WordNet-3.0.tar.gz, with dict/data.noun",
    )

"""How captions and images are scored against each other, block by block."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.kernels.ranks import rank_embeddings, rank_scores

if TYPE_CHECKING:
    from mmclust.kernels.ranks import Ranks

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scorer:
    """How candidates are ranked: by embeddings, or by scores that are at hand.

    Parameters
    ----------
    images
        float (pool, d), pool order; ``None`` with ``scores``.
    texts
        float (m, d), in the captions' order; ``None`` with ``scores``.
    scores
        (m, pool): a score for each caption and image, in the order of a file.
    rows, columns
        Where in ``scores`` each caption and each image is; ``None``: as they are.
    device
        Where embeddings are multiplied.
    top_k
        How many of the best to list.
    """

    images: Array | None
    texts: Array | None
    scores: Array | None = None
    rows: Array | None = None
    columns: Array | None = None
    device: str = "cpu"
    top_k: int = 10

    def part(self, texts: Array, images: Array) -> Scorer:
        """Return a scorer of some captions and some images alone."""
        if self.scores is None:
            assert self.images is not None
            assert self.texts is not None
            return replace(self, images=self.images[images], texts=self.texts[texts])
        return replace(
            self,
            rows=texts if self.rows is None else self.rows[texts],
            columns=images if self.columns is None else self.columns[images],
        )

    def _score(self, texts: Any, images: Any) -> Array:
        """Read scores of some captions (rows) and some images (columns)."""
        assert self.scores is not None
        rows = np.arange(len(self.scores)) if self.rows is None else self.rows
        columns = self.columns
        if columns is None:
            columns = np.arange(self.scores.shape[1])
        return np.asarray(self.scores[rows[texts][:, None], columns[images]])

    @property
    def _kind(self) -> np.dtype[Any]:
        """The precision in which scores at hand are compared."""
        assert self.scores is not None
        return np.result_type(self.scores, np.float32)

    def captions_for(self, n_images: int, positives: Array) -> Ranks:
        """Rank all captions for the first ``n_images`` images."""
        if self.scores is None:
            assert self.images is not None
            assert self.texts is not None
            return rank_embeddings(
                self.images[:n_images],
                self.texts,
                positives,
                top_k=self.top_k,
                device=self.device,
                label="Image to text",
            )
        return rank_scores(
            lambda a, b: np.ascontiguousarray(
                self._score(slice(None), slice(a, b)).T, dtype=self._kind
            ),
            n_images,
            len(self.scores if self.rows is None else self.rows),
            positives,
            top_k=self.top_k,
            label="Image to text",
            kind=self._kind,
        )

    def images_for(
        self, rows: Array, positives: Array, sections: tuple[int, ...]
    ) -> Ranks:
        """Rank the pool for the captions ``rows``."""
        if self.scores is None:
            assert self.images is not None
            assert self.texts is not None
            texts = self.texts if len(rows) == len(self.texts) else self.texts[rows]
            return rank_embeddings(
                texts,
                self.images,
                positives,
                sections=sections,
                top_k=self.top_k,
                device=self.device,
                label="Text to image",
            )
        columns = self.columns
        return rank_scores(
            lambda a, b: np.asarray(
                self._score(rows[a:b], slice(None)), dtype=self._kind
            ),
            len(rows),
            self.scores.shape[1] if columns is None else len(columns),
            positives,
            sections=sections,
            top_k=self.top_k,
            label="Text to image",
            kind=self._kind,
        )

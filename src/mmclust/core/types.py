"""What a plugin must offer. Protocols only: nothing inherits from anything.

Shapes: n images; h, w pixels; d features; k clusters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np

    from mmclust.core.manifest import Row

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Objects:
    """The a objects of a benchmark's images, in the publisher's order.

    Parameters
    ----------
    categories
        All names there are, in the publisher's order.
    image_ids, names
        The image and the category of each object.
    boxes
        (a, 4): left, top, right, bottom, in whole pixels of the image as stored.
    crowd
        a truth values: whether it stands for many.
    masks
        Outline of each object as the publisher writes it (COCO's ``segmentation``,
        JSON); empty where there is none.
    """

    categories: tuple[str, ...] = ()
    image_ids: Sequence[str] = ()
    names: Sequence[str] = ()
    boxes: Any = ()
    crowd: Any = ()
    masks: Sequence[str] = ()


@dataclass(frozen=True)
class Built:
    """What a benchmark's protocol chose.

    Parameters
    ----------
    rows
        The images, in any order.
    labels
        Class name of each image id; empty when the benchmark has no classes.
    protocol
        Version of the rules.
    sources
        sha256 of each source file read.
    notes
        For the summary: what was dropped and why, thresholds, what the
        published count is.
    fit, evaluate
        Splits that encoders and heads are fitted on, and that are clustered and
        scored.
    folds
        Of the images that are also evaluated in parts, the number of the part.
    hidden
        Class name of each image whose class is not given out; written to a file
        of its own.
    alternatives
        Other captions of the same images, by a name such as ``original``: image id
        to captions.
    objects
        What is where in the images, for benchmarks that say it; ground truth like the
        labels, and like them in a file of its own.
    pictures
        Name and bytes of pictures that lie in no file that can be read by offset;
        ``build`` stores them beside the manifest and points the rows whose
        ``member`` is the name to them.
    """

    rows: list[Row]
    labels: dict[str, str]
    protocol: str
    sources: dict[str, str]
    notes: dict[str, Any] = field(default_factory=dict)
    fit: tuple[str, ...] = SPLITS
    evaluate: tuple[str, ...] = SPLITS
    folds: dict[str, int] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    alternatives: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    objects: Objects | None = None
    pictures: Iterable[tuple[str, bytes]] | None = None


class Benchmark(Protocol):
    """A file in ``benchmarks/``.

    A benchmark of several sources has ``SOURCES``, a tuple, in place of
    ``SOURCE``. It may offer ``expected(params, split)``: images of each class when
    options and split are the protocol's (``{"": n}`` without classes), or ``None``.

    For ``data.images`` it may offer ``LISTS``, the sources whose files say which
    pictures of the others it takes; ``sources(params)``, where its options decide which
    it reads; and ``pictures(raw, params, split)``, paths ``<folder>/<name>``, where
    ``build`` looks at others than the rows it gives without images.
    """

    SOURCE: str
    """The source in ``data/sources.yaml`` it is built from."""
    DEFAULT_SPLIT: str
    """The publisher's name of the part that the protocol takes."""
    Params: type
    """A frozen dataclass of options with the protocol's values as defaults."""

    def build(self, raw: Path, params: Any, *, split: str, images: bool) -> Built:
        """Choose images, captions and labels; files are read where they lie.

        Parameters
        ----------
        raw
            Folder of the source, archives unpacked or not; of several sources, the
            folder that holds theirs, or all their files.
        params
            Options.
        split
            A part by its publisher's name, or several joined by ``+``.
        images
            Whether to look for image files, or hand on pictures.

        Raises
        ------
        MmclustError
            When a file is missing or damaged, breaks a rule of its layout, or asks for
            what no published one does.
        """
        ...


@dataclass(frozen=True)
class Fitted:
    """What an encoder learned.

    Parameters
    ----------
    arrays
        Saved as ``fitted.safetensors``.
    facts
        Saved as ``fitted.json``: vocabularies, losses, counts.
    """

    arrays: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """Some rows of a manifest, as an encoder sees them.

    Parameters
    ----------
    image_ids
        b ids.
    captions
        The captions of each image, b lists.
    images
        What the encoder's ``prepare`` made of each image, (b, …); ``None`` for
        encoders without ``prepare``.
    """

    image_ids: Sequence[str]
    captions: Sequence[Sequence[str]]
    images: np.ndarray[Any, Any] | None


class Encoder(Protocol):
    """A file in ``encoders/``.

    ``prepare`` runs once per picture, in worker processes; ``fit`` once, on the
    splits to fit on; ``encode_image`` and ``encode_text`` on batches of rows, always
    of the same number. No label reaches any of them. An encoder leaves out what it
    does not need: without ``encode_image`` the prepared arrays are the features.
    Without ``fit`` a picture is prepared and encoded in one go; with it, what
    ``prepare`` gives of all pictures waits on disk, so it should be small.

    Models are loaded on first use and kept (``functools.lru_cache``), and go through
    :func:`mmclust.models.compute.ready`. Under ``--precision`` they run in
    autocast, so results end with ``.float()``; ``fit`` always runs in float32.

    An encoder may say which of the command's flags reach its numbers: ``FLAGS``, a
    tuple of ``device``, ``batch_size``, ``precision`` and ``compile`` (all of them
    unless it says), or a function ``flags(params)`` that gives it. Others are not
    recorded, and a precision or ``--compile`` that would do nothing is refused.
    """

    VIEWS: tuple[str, ...]
    """``image``, ``text`` or both."""
    Params: type
    """A frozen dataclass of options with the published values as defaults."""

    def prepare(self, rgb: np.ndarray[Any, Any], params: Any) -> np.ndarray[Any, Any]:
        """Turn uint8 RGB (h, w, 3) into an array whose shape params decide.

        What a model will see is best left uint8: it is a quarter of the size.
        """
        ...

    def fit(self, batch: Batch, params: Any, *, seed: int, device: str) -> Fitted:
        """Learn from the rows to fit on: ``Manifest.fit_rows``."""
        ...

    def encode_image(
        self, batch: Batch, params: Any, fitted: Fitted, *, device: str
    ) -> np.ndarray[Any, Any]:
        """Turn b images into float32 (b, d)."""
        ...

    def encode_text(
        self, batch: Batch, params: Any, fitted: Fitted, *, device: str
    ) -> np.ndarray[Any, Any]:
        """Turn b lists of captions into float32 (b, d)."""
        ...

    def encode_captions(
        self, captions: Sequence[str], params: Any, fitted: Fitted, *, device: str
    ) -> np.ndarray[Any, Any]:
        """Turn c captions into float32 (c, d), one row each; optional."""
        ...

    def identity(self, params: Any) -> dict[str, Any]:
        """Return model id, revision and digest of the weights; optional.

        They go to ``features.json``; unfinished work of other weights is not used.
        """
        ...


class Clusterer(Protocol):
    """A file in ``clusterers/``.

    It may set ``VIEWS = "both"``: ``fit_predict`` then gets the pair (image rows,
    text rows) in place of one array, and runs for encoders that have both. It may
    set ``FINDS_K = True``: it finds the number of clusters itself, ignores
    ``n_clusters``, and may give -1 for an image that belongs to none. Its options may
    have ``rows`` (``raw``: as encoders give them) and ``fit_on`` (``fit``: it also gets
    ``fit``, the rows that methods are fitted on), see ``kmeans``.
    """

    DETERMINISTIC: bool
    """Whether the seed makes no difference, so that one run is enough."""
    Params: type
    """A frozen dataclass of options."""

    def fit_predict(
        self,
        features: Any,
        n_clusters: int,
        params: Any,
        *,
        seed: int,
    ) -> Any:
        """Cluster float32 (n, d), rows at unit norm, into int32 (n,).

        A row without content (no caption, say) is zero. The result is the labels,
        or the labels and how sure each is, float32 (n,) in [0, 1].
        """
        ...

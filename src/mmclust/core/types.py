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

    What an encoder offers may hang on its options: ``offers(params)`` then returns an
    object with these members in place of the module. ``completed(params, where,
    given)`` may check options further, and return them written out.
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
    ``n_clusters``, and may give -1 for an image that belongs to none.
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


class Nouns(Protocol):
    """The vocabulary, as a head may ask of it; r rows of u distinct words.

    Embeddings are in the space of ``model.encoder``, with the lengths that it gives.
    """

    @property
    def words(self) -> Sequence[str]:
        """The u distinct words, by first occurrence."""
        ...

    @property
    def place(self) -> Any:
        """Which of them each row of the vocabulary is: int64 (r,)."""
        ...

    @property
    def centres(self) -> Any:
        """Mean directions of TAC's groups of the images fitted on: float32 (c, d).

        The stage ``nouns`` made the groups; unit norm.
        """
        ...

    def embeddings(
        self, templates: Sequence[str] = (), *, normalise: bool = False
    ) -> Any:
        """Return each distinct word's mean over its prompts: float32 (u, d).

        Parameters
        ----------
        templates
            Prompts, ``{}`` for the word; none: those of ``nouns.templates``.
        normalise
            Whether each prompt has unit norm before the mean, which has not.
        """
        ...

    def prompts(self, words: Sequence[str], templates: Sequence[str] = ()) -> Any:
        """Return what each prompt says of m words: float32 (prompts, m, d)."""
        ...


@dataclass(frozen=True)
class HeadInputs:
    """What a head reads of n images; no label is among it.

    Parameters
    ----------
    image
        float32 (n, d), unit norm: the features of ``model.encoder``.
    text
        float32 (n, d), unit norm: the images' text counterparts.
    spaces
        float32 (n, d_s) each, as the encoders gave them: not scaled, not centred.
    nouns
        The vocabulary and its embeddings.
    """

    image: Any = None
    text: Any = None
    spaces: tuple[Any, ...] = ()
    nouns: Nouns | None = None

    def __len__(self) -> int:
        return len(self.spaces[0] if self.image is None else self.image)

    def take(self, rows: np.ndarray[Any, Any]) -> HeadInputs:
        """Return the same of some rows, int64 (m,)."""
        image, text = (
            None if each is None else each[rows] for each in (self.image, self.text)
        )
        spaces = tuple(each[rows] for each in self.spaces)
        return HeadInputs(image, text, spaces, self.nouns)


@dataclass(frozen=True)
class Trained:
    """One seed's head after its last epoch.

    Parameters
    ----------
    weights
        Saved as ``seed_<i>.safetensors``.
    curve
        A row per epoch (or per stretch of steps): each term of the loss, meaned.
    """

    weights: dict[str, np.ndarray[Any, Any]]
    curve: list[dict[str, float]]


class Head(Protocol):
    """A file in ``heads/``: a method on frozen features, of one of three kinds.

    - ``recipe``: two networks, trained as TAC's are; see :mod:`mmclust.heads._train`.
    - ``train`` and ``predict``: a loop of its own. It is fitted on the benchmark's
      ``fit_rows`` and predicts its ``evaluate_rows``.
    - ``cluster``: no training; it clusters the rows to evaluate by themselves.

    A training head may set ``GROUP``, the number of seeds that one call trains on a CPU
    (1 unless it says); groups run in processes, at any number of workers alike.
    """

    VIEW: str
    """``image``, ``counterpart`` or ``concat``: what scores call the clusters' view."""
    READS: tuple[str, ...]
    """The members of :class:`HeadInputs` that it reads; the others are not there."""
    Params: type
    """A frozen dataclass of options. ``evaluate_on`` is ``evaluate``, or ``fit``: the
    rows fitted on are assigned. One that reads ``spaces`` may have ``encoders``, a
    tuple of names; without it, or empty, ``model.encoder`` is the one space."""

    def recipe(self, dim: int, n_clusters: int, params: Any) -> Any:
        """Return what is trained for rows of ``dim`` features."""
        ...

    def train(
        self,
        inputs: HeadInputs,
        n_clusters: int,
        params: Any,
        *,
        seeds: Sequence[int],
        device: str,
    ) -> list[Trained]:
        """Train one head per seed, on rows to fit on."""
        ...

    def predict(
        self,
        weights: dict[str, Any],
        inputs: HeadInputs,
        params: Any,
        *,
        device: str,
    ) -> np.ndarray[Any, Any]:
        """Return each cluster's probability for each row: float32 (n, k).

        Only ``image``, ``text`` and ``spaces`` of the inputs are there.
        """
        ...

    def cluster(
        self,
        inputs: HeadInputs,
        n_clusters: int,
        params: Any,
        *,
        seed: int,
        device: str,
    ) -> np.ndarray[Any, Any]:
        """Cluster the rows into int32 (n,)."""
        ...

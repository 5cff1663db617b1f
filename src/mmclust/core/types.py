"""What a plugin must offer. Protocols only: nothing inherits from anything.

Shapes: n images; h, w pixels; d features; k clusters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mmclust.core.manifest import SPLITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from mmclust.core.manifest import Manifest, Row

    Judge = Callable[[Sequence[str], np.ndarray[Any, Any]], float]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Objects:
    """The a objects of a benchmark's images, in the publisher's order."""

    categories: tuple[str, ...] = ()
    """All names there are, in the publisher's order."""
    image_ids: Sequence[str] = ()
    """The image of each object."""
    names: Sequence[str] = ()
    """Its category."""
    boxes: Any = ()
    """(a, 4): left, top, right, bottom, in whole pixels of the image as stored."""
    crowd: Any = ()
    """a truth values: whether it stands for many."""
    masks: Sequence[str] = ()
    """Its outline as the publisher writes it (COCO's ``segmentation``, JSON), or ""."""


@dataclass(frozen=True)
class Built:
    """What a benchmark's protocol chose."""

    rows: list[Row]
    """The images, in any order."""
    labels: dict[str, str]
    """Class name of each image id; empty when the benchmark has no classes."""
    protocol: str
    """Version of the rules."""
    sources: dict[str, str]
    """sha256 of each source file read."""
    notes: dict[str, Any] = field(default_factory=dict)
    """For the summary: what was dropped and why, thresholds, the published count."""
    fit: tuple[str, ...] = SPLITS
    """Splits that encoders and heads are fitted on."""
    evaluate: tuple[str, ...] = SPLITS
    """Splits that are clustered and scored."""
    folds: dict[str, int] = field(default_factory=dict)
    """Of the images that are also evaluated in parts, the number of the part."""
    hidden: dict[str, str] = field(default_factory=dict)
    """Class name of each image whose class is not given out, for a file of its own."""
    alternatives: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    """Other captions by a name such as ``original``: image id to captions."""
    objects: Objects | None = None
    """What is where in the images, for benchmarks that say it; ground truth like the
    labels, and like them in a file of its own."""
    pictures: Iterable[tuple[str, bytes]] | None = None
    """Name and bytes of pictures that lie in no file that can be read by offset;
    ``build`` stores them and points the rows whose ``member`` is the name to them."""


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


@dataclass(frozen=True)
class Fitted:
    """What an encoder learned."""

    arrays: dict[str, Array] = field(default_factory=dict)
    """Saved as ``fitted.safetensors``."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Saved as ``fitted.json``: vocabularies, losses, counts."""


@dataclass(frozen=True)
class Batch:
    """Some rows of a manifest, b of them, as an encoder sees them."""

    image_ids: Sequence[str]
    captions: Sequence[Sequence[str]]
    images: Array | None
    """What ``prepare`` made of each image, (b, …); ``None`` for encoders without it."""


class Encoder(Protocol):
    """A file in ``encoders/``.

    ``prepare`` runs once per picture, in worker processes; ``fit`` once, on the
    splits to fit on; ``encode_image`` and ``encode_text`` on batches of rows, always
    of the same number. No label reaches any of them. An encoder leaves out what it
    does not need: without ``encode_image`` the prepared arrays are the features.
    Without ``fit`` a picture is prepared and encoded in one go; with it, what
    ``prepare`` gives of all pictures waits on disk, so it should be small.

    Models are loaded on first use and kept (:func:`mmclust.models.hub.kept`, which
    sees changed files), and go through :func:`mmclust.models.compute.ready`. Under
    ``--precision`` they run in autocast, so results end with ``.float()``; ``fit``
    always runs in float32.

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

    def prepare(self, rgb: Array, params: Any) -> Array:
        """Turn uint8 RGB (h, w, 3) into an array whose shape params decide.

        What a model will see is best left uint8: it is a quarter of the size.
        """

    def fit(self, batch: Batch, params: Any, *, seed: int, device: str) -> Fitted:
        """Learn from the rows to fit on: ``Manifest.fit_rows``.

        ``batch.images`` may be a file that is mapped read-only.
        """

    def encode_image(
        self, batch: Batch, params: Any, fitted: Fitted, *, device: str
    ) -> Array:
        """Turn b images into float32 (b, d)."""

    def encode_text(
        self, batch: Batch, params: Any, fitted: Fitted, *, device: str
    ) -> Array:
        """Turn b lists of captions into float32 (b, d)."""

    def encode_captions(
        self, captions: Sequence[str], params: Any, fitted: Fitted, *, device: str
    ) -> Array:
        """Turn c captions into float32 (c, d), one row each; optional."""

    def identity(self, params: Any) -> dict[str, Any]:
        """Return model id, revision and digest of the weights; optional.

        They go to ``features.json``; unfinished work of other weights is not used.
        """


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
        self, features: Any, n_clusters: int, params: Any, *, seed: int
    ) -> Any:
        """Cluster float32 (n, d), rows at unit norm, into int32 (n,).

        k is at most n; a row without content (no caption, say) is zero. The result is
        the labels, or the labels and how sure each is, float32 (n,) in [0, 1].
        """


class Nouns(Protocol):
    """The vocabulary, as a head may ask of it; r rows of u distinct words.

    Embeddings are in the space of ``model.encoder``, with the lengths that it gives.
    """

    @property
    def words(self) -> Sequence[str]:
        """The u distinct words, by first occurrence."""

    @property
    def place(self) -> Any:
        """Which of them each row of the vocabulary is: int64 (r,)."""

    @property
    def centres(self) -> Any:
        """Mean directions of TAC's groups of the images fitted on: float32 (c, d).

        The stage ``nouns`` made the groups; unit norm.
        """

    def embeddings(
        self, templates: Sequence[str] = (), *, normalise: bool = False
    ) -> Any:
        """Return each distinct word's mean over its prompts: float32 (u, d).

        Without ``templates``, which have ``{}`` for the word, prompts are those of
        ``nouns.templates``; ``normalise`` scales each to unit norm before the mean.
        """

    def prompts(self, words: Sequence[str], templates: Sequence[str] = ()) -> Any:
        """Return what each prompt says of m words: float32 (prompts, m, d)."""


@dataclass(frozen=True, eq=False)
class HeadInputs:
    """What a head reads of n images; no label is among it."""

    image: Any = None
    """float32 (n, d), unit norm: the features of ``model.encoder``."""
    text: Any = None
    """float32 (n, d), unit norm: the images' text counterparts."""
    spaces: tuple[Any, ...] = ()
    """float32 (n, d_s) each, as the encoders gave them: not scaled, not centred."""
    nouns: Nouns | None = None
    """The vocabulary and its embeddings."""

    def __len__(self) -> int:
        given = (self.image, self.text, *self.spaces)
        return len(next(each for each in given if each is not None))

    def take(self, rows: Array) -> HeadInputs:
        """Return the same of some rows, int64 (m,)."""
        image, text = (
            None if each is None else each[rows] for each in (self.image, self.text)
        )
        spaces = tuple(each[rows] for each in self.spaces)
        return HeadInputs(image, text, spaces, self.nouns)


@dataclass(frozen=True)
class Trained:
    """One seed's head after its last epoch."""

    weights: dict[str, Array]
    """Saved as ``seed_<i>.safetensors``."""
    curve: list[dict[str, float]]
    """A row per epoch (or per stretch of steps): each term of the loss, meaned."""


class Head(Protocol):
    """A file in ``heads/``: a method on frozen features, of one of three kinds.

    - ``recipe``: two networks, trained as TAC's are; see :mod:`mmclust.heads._train`.
    - ``train`` and ``predict``: a loop of its own. It is fitted on the benchmark's
      ``fit_rows`` and predicts its ``evaluate_rows``.
    - ``cluster``: no training; it clusters the rows to evaluate by themselves.

    A training head may set ``GROUP``, the number of seeds that one call trains on a CPU
    (1 unless it says), or a function of the number of rows and the options that gives
    it; groups run in processes, at any number of workers alike.
    """

    VIEW: str
    """``image``, ``counterpart`` or ``concat``: what scores call the clusters' view."""
    READS: tuple[str, ...]
    """The members of :class:`HeadInputs` that it reads; the others are not there."""
    Params: type
    """A frozen dataclass of options. ``evaluate_on``, which may be left out, is
    ``evaluate``, or ``fit``: the rows fitted on are assigned. One that reads ``spaces``
    may have ``encoders``, a tuple of names; without it, or empty, ``model.encoder`` is
    the one space."""

    def recipe(self, dim: int, n_clusters: int, params: Any) -> Any:
        """Return what is trained for rows of ``dim`` features."""

    def prepare(self, inputs: HeadInputs, params: Any, *, device: str) -> Any:
        """Return what all seeds share; optional.

        It is called once, and ``train`` or ``cluster`` gets what it returns, picklable,
        in place of ``inputs``.
        """

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

    def predict(
        self, weights: dict[str, Any], inputs: HeadInputs, params: Any, *, device: str
    ) -> Array:
        """Return each cluster's probability for each row: float32 (n, k).

        Only ``image``, ``text`` and ``spaces`` of the inputs are there.
        """

    def cluster(
        self,
        inputs: HeadInputs,
        n_clusters: int,
        params: Any,
        *,
        seed: int,
        device: str,
    ) -> Array:
        """Cluster the rows into int32 (n,)."""


def silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Corpus:
    """The captions of a benchmark's ``fit_rows``; no label reaches it.

    ``words`` are v tokens, in the order of first occurrence, ``counts``, int64 (v,),
    how often they occur. ``ids``, int32 (t,), is the word of each token, caption after
    caption: those of caption i are ``ids[bounds[i]:bounds[i + 1]]``; ``owners``, int64
    and ascending, is each caption's image, a row of the manifest. Captions without
    tokens, of which ``empty`` is the number, are left out.
    """

    manifest: Manifest
    words: tuple[str, ...]
    counts: Array
    ids: Array
    bounds: Array
    owners: Array
    empty: int = 0

    def __len__(self) -> int:
        return len(self.owners)

    def tokens_of(self, captions: Array) -> tuple[Array, Array]:
        """Return each token's word, and its place in ``captions``: (n,) both."""
        starts = self.bounds[captions]
        lengths = self.bounds[captions + 1] - starts
        places = np.repeat(np.arange(len(captions)), lengths)
        first = np.cumsum(lengths) - lengths
        at = np.arange(len(places)) - first[places] + starts[places]
        return self.ids[at], places


@dataclass(frozen=True)
class Flags:
    """What the command line says; all but the precision leaves the result as it is.

    A killed run is resumed from states ``save_every`` seconds apart. ``judge(words,
    clusters)`` says how well a clustering agrees with norms, for models that, as
    published, select by it; ``say`` is told what a user may want to know.
    """

    device: str = "cpu"
    workers: int = 1
    precision: str = "float32"
    save_every: float = 60.0
    judge: Judge | None = None
    say: Callable[[str], None] = silent


@dataclass(frozen=True, kw_only=True)
class Run(Flags):
    """One run of a model, with a seed for each training.

    ``out`` is ``data/words/<model>``; ``work``, beside it, is for what a killed run
    leaves to the next, and removed at the end.
    """

    seeds: tuple[int, ...]
    root: Path
    out: Path
    work: Path


@dataclass(frozen=True)
class Learned:
    """What a model learned, for s seeds and the v words of the corpus.

    ``clusters`` are int32 (s, v), ``confidence`` and ``concreteness`` float64 (s, v),
    where the model has them. ``facts`` are for ``model.json``: ``kind``, ``clusters``
    and what else is worth knowing; ``curve`` has ``epoch``, ``seed`` and numbers of
    each epoch.
    """

    clusters: Array
    confidence: Array | None = None
    concreteness: Array | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)


class WordModel(Protocol):
    """A file in ``words/``: it learns clusters of words from captioned images.

    What words are tokens of is the corpus's; no norm and no label reaches it, but for
    ``run.judge``, of models that were published with a choice by norms.
    """

    Params: type
    """A frozen dataclass of options with the published values as defaults. With
    ``lemmas: true`` tokens are lemmas; with ``model`` and ``revision`` weights of a
    hub are told apart."""

    def learn(self, corpus: Corpus, params: Any, run: Run) -> Learned:
        """Learn once per seed; files of the model's own go to ``run.out``."""

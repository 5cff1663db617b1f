"""Models of the original release (Berger et al., NAACL 2022), made ours.

``visual/<name>.mdl`` is a state dict of torchvision's ResNet-50 with a classifier of
C outputs, ``text/<name>.mdl`` a saved object with one dict of word to count for each
cluster. Foreign code never runs: :func:`mmclust.models.hub.load_torch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mmclust.core.clusters import WordClusters, write_words
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.io import file_digest, write_array, write_json, writing
from mmclust.models.backbones import build
from mmclust.models.hub import load_torch
from mmclust.models.pixels import CLIP_MEAN, CLIP_STD
from mmclust.words._counts import Counts, Mode

if TYPE_CHECKING:
    from pathlib import Path

TEXT_MODEL = (
    "models_src.underlying_models.word_cluster_count_model.WordClusterCountModel"
)
"""The one class that a text model may name."""
BACKBONE = "resnet50"
MODES: dict[int, Mode] = {0: "discriminative", 1: "generative"}
THRESHOLDS = {"visual_threshold": 0.5, "text_threshold": 0.03}


class _Saved:
    """What stands for the release's class: attributes, and nothing that does."""


def import_release(folder: Path, out: Path, name: str | None = None) -> WordClusters:
    """Read a released model and write it as one of ``joint_model`` with one seed."""
    from safetensors.torch import save_file

    name = name or _only(folder)
    paths = {kind: folder / kind / f"{name}.mdl" for kind in ("visual", "text")}
    words, counts = _text(paths["text"])
    state = _visual(paths["visual"], counts.table.shape[1])
    clusters, confidence = counts.best(np.arange(len(words)))
    meta: dict[str, Any] = {
        "model": "joint_model",
        "kind": "joint",
        "clusters": counts.table.shape[1],
        "backbone": BACKBONE,
        "size": 224,
        "mean": list(CLIP_MEAN),
        "std": list(CLIP_STD),
        **THRESHOLDS,
        "mode": counts.mode,
        "imported": {k: {"name": p.name, "sha256": file_digest(p)}
                     for k, p in paths.items()},
    }  # fmt: skip
    learned = WordClusters(
        words, counts.table.sum(1), clusters[None], confidence[None], confidence[None],
        meta,
    )  # fmt: skip
    write_array(out / "seed_0/counts.npy", counts.table)
    with writing(out / "seed_0/visual.safetensors") as temporary:
        save_file(state, temporary)
    write_words(out / "words.parquet", learned)
    write_json(out / "model.json", meta)
    return learned


def _only(folder: Path) -> str:
    """Return the name of the one model there is."""
    names = sorted(path.stem for path in folder.glob("text/*.mdl"))
    if len(names) != 1:
        raise MmclustError(
            "The folder has no model of the release"
            if not names
            else "The folder has several models",
            where=folder,
            expected="text/NAME.mdl and visual/NAME.mdl",
            found=some(names) or "no text/*.mdl",
            do="say which: --name NAME" if names else "give the folder that has both",
        )
    return names[0]


def _text(path: Path) -> tuple[tuple[str, ...], Counts]:
    """Read a text model: words in the order of their first cluster, and counts."""
    model = load_torch(path, {TEXT_MODEL: _Saved})
    if not isinstance(model, _Saved):
        raise _unlike(path, TEXT_MODEL, type(model).__name__)
    saved = vars(model)
    missing = {"cluster_num", "mode", "cluster_to_word_co_occur"} - saved.keys()
    if missing:
        raise _unlike(path, "attributes " + some(sorted(missing)), some(saved))
    number, mode, tables = (
        saved[key] for key in ("cluster_num", "mode", "cluster_to_word_co_occur")
    )
    mode = getattr(mode, "value", mode)
    if mode not in MODES or type(mode) is not int:
        raise _unlike(path, f"mode {nearest('1', map(str, MODES))}", repr(mode)[:100])
    if isinstance(tables, dict):
        tables = [tables.get(c) for c in range(len(tables))]
    if not isinstance(tables, list) or len(tables) != number or not tables:
        raise _unlike(path, f"one table for each of {number!r} clusters", "others")
    for cluster, table in enumerate(tables):
        _check_table(path, cluster, table)
    words = tuple(dict.fromkeys(word for table in tables for word in table))
    place = {word: i for i, word in enumerate(words)}
    counts = np.zeros((len(words), len(tables)), np.int64)
    for cluster, table in enumerate(tables):
        rows = [place[word] for word in table]
        counts[rows, cluster] = np.fromiter(table.values(), np.int64, len(table))
    if not counts.any():
        raise _unlike(path, "counts above 0", "none")
    return words, Counts(counts, MODES[mode])


def _check_table(path: Path, cluster: int, table: Any) -> None:
    """Refuse a table that is not one of word to count."""
    if not isinstance(table, dict):
        raise _unlike(path, f"a dict for cluster {cluster}", type(table).__name__)
    for word, count in table.items():
        whole = isinstance(count, (int, float)) and count == count // 1
        if not isinstance(word, str) or not whole or not 0 <= count < 1 << 53:
            found = f"{word!r}: {count!r}"[:100]
            raise _unlike(path, "words and whole counts, at least 0", found)


def _visual(path: Path, clusters: int) -> dict[str, Any]:
    """Read a visual model, and see that it fits the network."""
    import torch

    state = load_torch(path)
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        expected = build(BACKBONE, clusters).state_dict()
    if not isinstance(state, dict):
        raise _unlike(path, f"a state dict of {BACKBONE}", type(state).__name__)
    wrong = sorted(str(name) for name in expected.keys() ^ state.keys())
    wrong += [
        f"{k} of shape {tuple(getattr(state[k], 'shape', ()))}"
        for k in expected.keys() & state.keys()
        if getattr(state[k], "shape", None) != expected[k].shape
    ]
    if wrong:
        what = f"a state dict of {BACKBONE} with {clusters} outputs"
        raise _unlike(path, what, some(wrong, 3) + " (missing, unknown or unfit)")
    return {name: tensor.contiguous() for name, tensor in state.items()}


def _unlike(path: Path, expected: str, found: str) -> MmclustError:
    return MmclustError(
        f"{path.name} is not a model of the release",
        where=path,
        expected=expected,
        found=found,
        do="give a model as the release has it, or train one: mmclust learn "
        "joint_model",
    )

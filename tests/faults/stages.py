"""Run in a process of its own: commands of the pipeline, each with a fault if asked.

    python -m tests.faults.stages

Lines of JSON come in, lines of JSON go out. What commands import is imported once;
each runs in a process forked from this one, in a group of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback

IMPORTS = (
    "cv2", "faiss", "msgspec", "numpy", "pyarrow.parquet", "safetensors.numpy",
    "safetensors.torch", "sklearn.cluster", "sklearn.manifold", "torch",
    "transformers.models.bert", "transformers.models.blip.modeling_blip", "typer",
    "mmclust.cli", "mmclust.clusterers._stage", "mmclust.encode.captioning",
    "mmclust.encode.embed", "mmclust.grounding.stage", "mmclust.heads._nouns",
    "mmclust.heads._stage", "mmclust.report.page", "mmclust.retrieval.stage",
    "mmclust.scoring.stage", "mmclust.sources.fetch", "mmclust.sample.make",
    "mmclust.words._stage",
)  # fmt: skip
PICTURES = 48
"""Of the sample's COCO 2017; the other sources are as small a part."""
SOURCES = (
    "coco2017", "coco2014", "coco2017_unlabeled", "fine_grained", "wordnet", "norms",
)  # fmt: skip
PARAMS = {
    "data": {"sources": list(SOURCES)},
    "benchmarks": {
        "coco_all": {"min_images": 1},
        "mscoco_fg": {},
        "coco_words": {"source": "coco2017"},
    },
    "captioners": {},
    "encoders": {
        "miniclip": {"dim": 8, "size": 16, "steps": 3, "batch": 8, "temperature": 0.2}
    },
    "model": {
        "benchmarks": ["coco_all"],
        "clusterers": ["kmeans", "random"],
        "heads": ["tac"],
        "encoder": "miniclip",
        "n_seeds": 2,
        "k_sweep": [],
    },
    "clusterers": {"kmeans": {"n_init": 2}},
    "nouns": {"vocabulary": "data/vocabulary/WordNetNouns.csv"},
    "heads": {"tac": {"batch": 8, "epochs": 1, "n_neighbors": 10}},
    "retrieval": {
        "benchmarks": ["mscoco_fg"],
        "encoders": ["miniclip"],
        "fitted_on": "coco_all",
        "top_k": 3,
    },
    "learning": {"benchmark": "coco_words", "word_lists": ["words"], "n_seeds": 1},
    "words": {
        "joint_model": {
            "backbone": "small", "size": 16, "clusters": 4, "epochs": 1,
            "visual_threshold": -10.0,
        },
    },
    "cognition": {
        "categories": "data/raw/norms/mcrae_typicality.yaml",
        "concreteness": "data/raw/norms/Concreteness_ratings_Brysbaert_et_al_BRM.txt",
        "association": "data/raw/norms/swow.en.csv",
    },
    "grounding": {"model": "joint_model", "benchmarks": ["coco_words"], "gallery": 2},
    "score": {"n_resamples": 100},
}  # fmt: skip
BEFORE = {
    "build": [
        *(f"fetch {source}" for source in SOURCES if source != "coco2017"),
        "build mscoco_fg --allow-different",
        "build coco_words --allow-different",
    ]
}
"""What a stage needs beside the stages before it: the same command for other items."""
STAGES = {
    "check": "preset --check --out data/checked",
    "sample": "sample --workers 1",
    "fetch": "fetch coco2017",
    "build": "build coco_all --allow-different --workers 1",
    "vocabulary": "vocabulary",
    "word-list": "word-list",
    "caption": "caption mscoco_fg blip --workers 1",
    "encode": "encode coco_all miniclip --workers 1",
    "nouns": "nouns coco_all",
    "cluster": "cluster coco_all miniclip --workers 1",
    "head": "head coco_all tac --workers 1",
    "embed": "embed mscoco_fg miniclip --workers 1",
    "retrieve": "retrieve benchmark mscoco_fg",
    "learn": "learn joint_model --workers 1",
    "cognition": "cognition models",
    "score": "score benchmark coco_all",
    "grounding": "grounding",
    "budget": "budget",
    "report": "report --workers 1",
}
"""A command of each stage of dvc.yaml, in its order."""


def serve():
    """Answer ``start`` with a process, and ``wait`` with how it ended."""
    for name in IMPORTS:
        importlib.import_module(name)
    from mmclust.sample.make import make_sample

    make_sample.__defaults__ = (PICTURES, None)
    for line in sys.stdin:
        asked = json.loads(line)
        if "wait" in asked:
            _, status = os.waitpid(asked["wait"], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if not answer:
                run(**asked)
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


def run(root, said, arguments, fault=None):
    """Be a command: what it prints goes to ``said``, how often it writes, too."""
    os.setsid()
    os.chdir(root)
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    count = arm(**(fault or {}))
    from mmclust.__main__ import main

    sys.argv, code = ["mmclust", *arguments], 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
        if isinstance(code, str):
            sys.stdout.write(f"{code}\n")
            code = 1
    except BaseException:  # noqa: BLE001 - as the interpreter would
        traceback.print_exc()
        code = 1
    sys.stdout.write(f"writes: {count['n']}\n")
    sys.stdout.flush()
    os._exit(code)


def arm(step=None, kind=None, group=False):
    """Let the given write meet a fault when its bytes are complete, unnamed yet."""
    from mmclust.core import io

    sync, count = io._sync, {"n": 0}

    def syncing(path):
        if path.name == "new":
            count["n"] += 1
            if count["n"] == step:
                strike(kind, group=group)
        sync(path)

    io._sync = syncing
    return count


def strike(kind, *, group):
    if kind == "ENOSPC":
        raise OSError(28, os.strerror(28))
    number = getattr(signal, f"SIG{kind}")
    if group:
        os.killpg(os.getpgid(0), number)
    else:
        os.kill(os.getpid(), number)
    if kind != "INT":  # of which the main thread hears, at its next step
        signal.pause()


if __name__ == "__main__":
    serve()

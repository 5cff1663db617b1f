"""A small world through every stage of dvc.yaml in one process; prints digests.

    python tests/pipeline/small_world.py FOLDER

FOLDER is new or empty. Written are the sample and all that the stages make of it; on
stdout comes JSON: the sha256 of each file by its name, and the seconds of each stage.
An emulated processor is the first process's alone, so that none other may be started.
"""

import hashlib
import itertools
import json
import multiprocessing.process
import os
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGES = 45
UNTRACKED = ("data/costs/", "report/machine.js")  # what .dvcignore and .gitignore name


def alone(*_, **__):
    raise AssertionError("a second process, which would not be emulated")


def pipeline():
    import yaml

    return yaml.safe_load((ROOT / "dvc.yaml").read_text())


def small():
    """The default params with little of each kind, and every other kind besides."""
    import yaml

    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["benchmarks"]["coco_all"] = {"min_images": 2}
    params["benchmarks"].pop("pascal_sentences")
    params["encoders"] = {
        "miniclip": {
            "dim": 16,
            "size": 24,
            "steps": 6,
            "batch": 16,
            "temperature": 0.2,
        },
        "classical": {
            "hog": {"size": 112, "cell": 28}
        },  # SIFT, HOG, colour, Canny, LBP
        "sift_bow": {"size": 64, "words": 8, "max_iter": 5},
        "lsa": {"dim": 8},
        "random": {"dim": 8},
    }
    params["model"] |= {
        "benchmarks": ["coco_all"],
        "clusterers": [
            "kmeans", "agglomerative", "average_linkage", "minibatch_kmeans",
            "gaussian_mixture", "spectral", "hdbscan", "dbscan", "concat_kmeans",
            "coregularized_spectral", "random",
        ],
        "heads": ["concat_kmeans", "tac", "dxmc", "gradnorm", "turtle"],
        "n_seeds": 2,
        "k_sweep": [5],
    }  # fmt: skip
    params["heads"] = {
        "tac": {"batch": 16, "epochs": 2, "n_neighbors": 5},
        "dxmc": {"batch": 16, "epochs": 1, "n_neighbors": 5},
        "gradnorm": {"n_init": 2},
        "turtle": {"steps": 3, "learning_rate": 0.01},
    }
    params["retrieval"]["fitted_on"] = "coco_all"
    params["learning"] |= {"n_seeds": 1}
    params["words"]["joint_model"] |= {"size": 24, "epochs": 1}
    params["score"]["n_resamples"] = 100
    params["report"] = {"thumbnails": 1, "points": 60}
    return params


def commands(pipeline, params):
    """The arguments of each run of each stage, in order."""

    def lookup(key):
        value = params
        for part in key.split("."):
            value = value[part]
        return value

    for name, stage in pipeline["stages"].items():
        matrix = stage.get("matrix", {})
        axes = [lookup(text[2:-1]) for text in matrix.values()]
        for item in itertools.product(*axes):
            text = stage["cmd"].removeprefix("${mmclust} ")
            names = [f"--{k} {value}" for k, value in zip(matrix, item, strict=True)]
            text = text.replace("${item}", " ".join(names))
            assert "$" not in text
            yield name, text.split()


def digests(folder):
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in names
        if (folder / name).is_file() and not name.startswith(UNTRACKED)
    }


def main(folder):
    from mmclust.core import numerics

    numerics.settle()
    import yaml

    os.environ["PATH"] = ""  # neither git nor anything else
    os.sched_getaffinity = lambda _: {0}  # one worker
    multiprocessing.process.BaseProcess.start = alone
    params = small()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    Path("data").mkdir()
    shutil.copy(ROOT / "data/sources.yaml", "data/sources.yaml")
    shutil.copytree(ROOT / "docs/published", "docs/published")

    from mmclust.cli import app
    from mmclust.sample.make import make_sample

    seconds = {}
    for stage, arguments in commands(pipeline(), params):
        start = time.process_time()
        if stage == "sample":
            make_sample(Path("data/sample"), params["seed"], 1, n_images=IMAGES)
        else:
            sys.stderr.write(f"{' '.join(arguments)}\n")
            app(arguments, standalone_mode=False)
        name = " ".join(arguments)
        seconds[name] = round(time.process_time() - start, 1)
        sys.stderr.write(f"{seconds[name]} s of processor: {name}\n")
    return {"files": digests(Path()), "seconds": seconds}


if __name__ == "__main__":
    stdout, sys.stdout = sys.stdout, sys.stderr  # what stages say goes there
    found = main(Path(sys.argv[1]).absolute())
    stdout.write(json.dumps(found))

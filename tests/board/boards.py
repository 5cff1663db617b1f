"""Small git repositories with records of scores, made by hand."""

import hashlib
import json
import os
import subprocess

import yaml

from mmclust.board.contents import summaries_of
from mmclust.scoring.record import Score, write

ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}
SCORES = "metrics/details/score/toy.csv"


def git(root, *arguments, date=None):
    dated = {} if date is None else {"GIT_COMMITTER_DATE": f"2026-01-{date:02}T12:00Z"}
    done = subprocess.run(
        ["git", *arguments], cwd=root, env=ENVIRONMENT | dated, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.strip()


def score(mean=0.5, *, key=("hog", "image", "kmeans"), metric="acc", half=0.1, **more):
    """Return a number with an interval of ± half; of scores at k 3."""
    ends = {} if half is None else {"low": mean - half, "high": mean + half}
    return Score(*key, metric, mean, **({"k": 3} | ends | more))


def scores(**clusterers):
    """Return a record of one encoder and view."""
    return [score(acc, key=("hog", "image", name)) for name, acc in clusterers.items()]


class Board:
    """A repository whose files are written and committed in one call."""

    def __init__(self, root):
        self.root = root
        root.mkdir()
        git(root, "init", "-q", "-b", "main")
        self.day = 0

    def write(self, files):
        """Write bytes as they are, lists of scores as records, JSON and YAML."""
        for name, value in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(value, bytes):
                path.write_bytes(value)
            elif name.endswith(".csv"):
                write(path, value)
            elif name.endswith(".json"):
                path.write_text(json.dumps(value))
            else:
                path.write_text(yaml.safe_dump(value))

    def commit(self, files, lock=True):
        """Write files, and a dvc.lock as a run would leave it; return the commit."""
        self.write(files)
        if lock:
            self.lock()
        self.day += 1
        git(self.root, "add", "-A")
        git(self.root, "commit", "-qm", "x", "--allow-empty", date=self.day)
        return git(self.root, "rev-parse", "HEAD")

    def lock(self):
        """Write the dvc.lock of a run on what is here."""

        def entry(path):
            md5 = hashlib.md5((self.root / path).read_bytes()).hexdigest()
            return {"path": path, "hash": "md5", "md5": md5, "size": 1}

        stages = {}
        for path in sorted((self.root / "metrics").rglob("*.csv")):
            name = path.relative_to(self.root).as_posix()
            summaries = summaries_of(path.stem)
            deps = [each for each in summaries if (self.root / each).exists()]
            stages[f"{path.parent.name}@{path.stem}"] = {
                "cmd": "true",
                "deps": [entry(dep) for dep in deps],
                "params": {"params.yaml": {"seed": 1}},
                "outs": [entry(name)],
            }
        text = yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False)
        (self.root / "dvc.lock").write_text(text)

    def experiment(self, name, base, files):
        """Record a DVC experiment on a commit, and go back to it."""
        tried = self.commit(files)
        git(self.root, "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", tried)
        git(self.root, "reset", "-q", "--hard", base)
        return tried

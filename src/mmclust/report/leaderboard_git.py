"""What git knows, read without checking anything out."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError
from mmclust.core.numerics import as_given

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

METRICS = (
    "metrics/clustering",
    "metrics/retrieval",
    "metrics/cognition",
    "metrics/grounding.json",
)
"""Where the numbers are."""

DATA = "data/benchmarks"
"""Where the summaries are."""

READ = (*METRICS, DATA, "params.yaml", "dvc.lock")
"""What is read of a commit."""

_EXPERIMENTS = "refs/exps/"
_PARTS = 5  # refs/exps/<2 of the baseline>/<38 of it>/<name>
_SHA1 = 40


@dataclass(frozen=True)
class Commit:
    """A commit that changed metrics or dvc.lock, or a DVC experiment.

    Parameters
    ----------
    id
        40 hexadecimal digits.
    date
        When it was committed, ISO 8601.
    parents
        The nearest earlier commits that did; of an experiment, the
        commit it started from.
    experiment
        The name of a DVC experiment; empty for a commit of the history.
    """

    id: str
    date: str
    parents: tuple[str, ...]
    experiment: str = ""


def environment() -> dict[str, str]:
    """Return the environment without git's own variables, which hooks set.

    And without this run's numerics: another commit's params have their own.
    """
    return {k: v for k, v in as_given().items() if not k.startswith("GIT_")}


def git(root: Path, *arguments: str, feed: bytes | None = None) -> bytes:
    """Return what git prints.

    Raises
    ------
    MmclustError
        When git is not installed or fails.
    """
    program = shutil.which("git")
    if program is None:
        raise MmclustError("git is not installed", do="install git")
    done = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
        [program, "-C", str(root), *arguments],
        input=feed,
        env=environment(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise MmclustError(
            f"git {arguments[0]} failed",
            where=root.absolute(),
            found=done.stderr.decode(errors="replace").strip(),
        )
    return done.stdout


def lines(root: Path, *arguments: str) -> list[str]:
    """Return the lines that git prints."""
    return git(root, *arguments).decode(errors="replace").splitlines()


def require_repository(root: Path) -> str:
    """Return the commit of HEAD.

    Raises
    ------
    MmclustError
        When ``root`` is not the top of a git repository with a commit.
    """
    try:
        top = lines(root, "rev-parse", "--show-toplevel")[0]
        head = lines(root, "rev-parse", "--verify", "HEAD^{commit}")[0]
    except MmclustError as error:
        raise MmclustError(
            "There is no git history to read",
            where=root.absolute(),
            found=error.parts["found"],
            do="run the command in the root of a clone that has commits",
        ) from error
    if root.resolve() != type(root)(top).resolve():
        raise MmclustError(
            "This is not the root of the repository",
            where=root.absolute(),
            expected=top,
            do="run the command there",
        )
    return head


def remarks(root: Path) -> list[str]:
    """Say what of the working tree and of the clone the history does not hold."""
    found = []
    changed = lines(root, "status", "--porcelain")
    if changed:
        found.append(
            f"the working tree is dirty ({len(changed)} "
            f"{'path differs' if len(changed) == 1 else 'paths differ'} from HEAD); "
            "what is not committed is not in this table"
        )
    if lines(root, "rev-parse", "--is-shallow-repository") == ["true"]:
        found.append(
            "the clone is shallow: numbers may be older than the commit they "
            "stand beside (git fetch --unshallow)"
        )
    return found


def history(root: Path, *, branches: bool = False) -> list[Commit]:
    """Return the commits that changed metrics or dvc.lock, parents before children.

    Parameters
    ----------
    root
        The repository.
    branches
        Of every local branch, rather than of HEAD alone.

    Returns
    -------
    list of Commit
        Side branches that were merged are among them, also where the merge took
        the other side's numbers.
    """
    found = lines(
        root, "log", "--full-history", "--simplify-merges", "--parents",
        "--topo-order", "--reverse", "--format=%H%x09%cI%x09%P",
        "HEAD", *(["--branches"] if branches else []), "--", *METRICS, "dvc.lock",
    )  # fmt: skip
    commits = []
    for line in found:
        commit, date, parents = line.split("\t")
        commits.append(Commit(commit, date, tuple(parents.split())))
    return commits


def experiments(root: Path) -> list[Commit]:
    """Return the DVC experiments that this clone holds, oldest first."""
    found = lines(
        root, "for-each-ref", "--sort=committerdate",
        "--format=%(objectname)%09%(committerdate:iso-strict)%09%(refname)",
        _EXPERIMENTS,
    )  # fmt: skip
    commits = []
    for line in found:
        commit, date, name = line.split("\t")
        parts = name.split("/", _PARTS - 1)
        if len(parts) == _PARTS and len(parts[2] + parts[3]) == _SHA1:
            commits.append(Commit(commit, date, (parts[2] + parts[3],), parts[4]))
    return commits


@dataclass
class Reader:
    """Files of commits; each content is read once.

    Parameters
    ----------
    root
        The repository.
    """

    root: Path
    _trees: dict[str, dict[str, str]] = field(default_factory=dict)
    _blobs: dict[str, bytes] = field(default_factory=dict)

    def tree(self, commit: str) -> dict[str, str]:
        """Return the paths under :data:`READ` in a commit, each with its blob."""
        if commit not in self._trees:
            listed = git(self.root, "ls-tree", "-rz", commit, "--", *READ).decode()
            entries = [line.partition("\t") for line in listed.split("\0") if line]
            self._trees[commit] = {path: facts.split()[2] for facts, _, path in entries}
        return self._trees[commit]

    def load(self, blobs: Iterable[str]) -> None:
        """Read blobs in one go."""
        wanted = sorted(set(blobs) - set(self._blobs))
        if not wanted:
            return
        feed = "".join(f"{blob}\n" for blob in wanted).encode()
        answer = git(self.root, "cat-file", "--batch", feed=feed)
        at = 0
        for blob in wanted:
            end = answer.index(b"\n", at)
            size = int(answer[at:end].split()[2])
            self._blobs[blob] = answer[end + 1 : end + 1 + size]
            at = end + size + 2

    def blob(self, blob: str) -> bytes:
        """Return the bytes of one blob."""
        self.load([blob])
        return self._blobs[blob]

    def file(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit, None where it has none of that name."""
        found = self.tree(commit).get(path)
        return None if found is None else self.blob(found)


def load_metrics(reader: Reader, commits: Sequence[str]) -> None:
    """Read the metrics, summaries, params and locks of commits in one go."""
    ends = ("summary.json", "params.yaml", "dvc.lock")
    reader.load(
        blob
        for commit in commits
        for path, blob in reader.tree(commit).items()
        if path.startswith("metrics/") or path.endswith(ends)
    )

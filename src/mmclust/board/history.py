"""What git and the workspace hold, read without checking anything out."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from mmclust.board.cache import Cache
from mmclust.board.contents import (
    DATA,
    RECORDS,
    flat_params,
    origins_of,
    place_of,
    record_of,
    stages_of,
    texts_of,
)
from mmclust.core.errors import MmclustError, nearest, some
from mmclust.core.numerics import as_given

if TYPE_CHECKING:
    from pathlib import Path

    from mmclust.core.yaml_file import Stage
    from mmclust.scoring.record import Record, Score

WORKSPACE = ""
"""Stands for the files as they are here, committed or not, where a commit's id does."""
SHORT = 7
"""Digits of a commit that people see."""

_EXPERIMENTS = "refs/exps/"
_PARTS = 5  # refs/exps/<2 of the baseline>/<38 of it>/<name>
_SHA1 = 40
_FACTS = 3  # of an object that is there: id, type, size
_FOLDERS = ("metrics/", DATA)
_FILES = ("params.yaml", "dvc.lock")


@dataclass(frozen=True)
class Commit:
    """A commit, or a DVC experiment."""

    id: str
    date: str  # ISO 8601
    parents: tuple[str, ...]
    """The nearest earlier commits that changed metrics or dvc.lock; of an experiment,
    the commit it started from."""
    experiment: str = ""  # its name


def environment() -> dict[str, str]:
    """Return the environment without git's own variables, which hooks set.

    And without this run's numerics: another commit's params have their own.
    """
    return {k: v for k, v in as_given().items() if not k.startswith("GIT_")}


def git(root: Path, *arguments: str, feed: bytes | None = None) -> bytes:
    """Return what git prints."""
    done = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
        [_program(), "-C", str(root), *arguments],
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


def _program() -> str:
    program = shutil.which("git")
    if program is None:
        raise MmclustError("git is not installed", do="install git")
    return program


def lines(root: Path, *arguments: str) -> list[str]:
    """Return the lines that git prints."""
    return git(root, *arguments).decode(errors="replace").splitlines()


def require_repository(root: Path) -> str:
    """Return the commit of HEAD."""
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


def resolve(root: Path, name: str) -> str:
    """Return the commit of a revision or of a DVC experiment."""
    try:
        asked = ("rev-parse", "--verify", "--quiet", "--end-of-options")
        return lines(root, *asked, f"{name}^{{commit}}")[0]
    except MmclustError:
        pass
    tried = experiments(root)
    found = {each.id for each in tried if each.experiment == name}
    if len(found) == 1:
        return found.pop()
    if found:
        raise MmclustError(
            f"Several experiments are named {name}",
            expected="one commit",
            found=some(sorted(found)),
            do="give the digits of one of them",
        )
    names = lines(
        root, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags"
    )
    raise MmclustError(
        f"git knows no revision {name!r}",
        where=root.absolute(),
        expected=nearest(name, {*names, *(each.experiment for each in tried)})
        or "a commit, branch or tag of git, or an experiment of DVC",
        do="`git log` and `dvc exp list` name them",
    )


def is_shallow(root: Path) -> bool:
    """Whether the clone lacks the beginning of its history."""
    return lines(root, "rev-parse", "--is-shallow-repository") == ["true"]


def history(root: Path, *, branches: bool = False) -> list[Commit]:
    """Return the commits that changed metrics or dvc.lock, parents before children."""
    found = lines(
        root, "log", "--full-history", "--simplify-merges", "--parents",
        "--topo-order", "--reverse", "--format=%H%x09%cI%x09%P",
        "HEAD", *(["--branches"] if branches else []), "--", "metrics", "dvc.lock",
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
    """Files of commits and of the workspace; used with ``with``.

    What is derived of a content is derived once, or taken from the cache.
    """

    root: Path
    cache: Cache = field(default_factory=Cache)
    _git: subprocess.Popen[bytes] | None = None  # answers as long as it is asked
    _here: dict[str, bytes] = field(default_factory=dict)  # of the workspace, by blob
    _trees: dict[str, dict[str, str]] = field(default_factory=dict)
    _folders: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    _records: dict[str, tuple[Record, str] | MmclustError] = field(default_factory=dict)
    _lines: dict[bytes, Score] = field(default_factory=dict)
    _origins: dict[str, dict[str, list[str | None]]] = field(default_factory=dict)
    _blocks: dict[bytes, list[Stage]] = field(default_factory=dict)
    _params: dict[str, dict[str, str]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the program that was asked."""
        if self._git is not None:
            self._git.communicate()
            self._git = None

    def tree(self, commit: str) -> dict[str, str]:
        """Return the paths that are read of a commit, each with its blob."""
        if commit not in self._trees:
            self._trees[commit] = (
                self._workspace()
                if commit == WORKSPACE
                else self._folder("", f"{commit}^{{tree}}")
            )
        return self._trees[commit]

    def _folder(self, under: str, tree: str) -> dict[str, str]:
        """Return what is read of a folder of git; most are those of other commits."""
        if (under, tree) not in self._folders:
            found: dict[str, str] = {}
            data, at = self._object(tree), 0
            while at < len(data):
                end = data.index(b"\0", at)
                mode, _, name = data[at:end].partition(b" ")
                at = end + 1 + _SHA1 // 2
                blob, path = data[end + 1 : at].hex(), under + os.fsdecode(name)
                if mode == b"40000":
                    if f"{path}/".startswith(("data/", *_FOLDERS)):
                        found |= self._folder(f"{path}/", blob)
                elif path in _FILES or path.startswith(_FOLDERS):
                    found[path] = blob
            self._folders[under, tree] = found
        return self._folders[under, tree]

    def _object(self, name: str) -> bytes:
        """Ask git for an object."""
        if self._git is None:
            self._git = subprocess.Popen(  # noqa: S603 (fixed arguments, no shell)
                [_program(), "-C", str(self.root), "cat-file", "--batch"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(),
            )  # fmt: skip
        asked, answer = self._git.stdin, self._git.stdout
        assert asked is not None
        assert answer is not None
        with contextlib.suppress(BrokenPipeError):  # then there is no answer
            asked.write(f"{name}\n".encode())
            asked.flush()
        facts = answer.readline().split()
        if len(facts) != _FACTS:
            raise MmclustError(
                "git has no such object", where=self.root.absolute(), found=name
            )
        return answer.read(int(facts[2]) + 1)[:-1]

    def _workspace(self) -> dict[str, str]:
        found = {}
        files = [
            *(self.root / "metrics").rglob("*.*"),
            *(self.root / DATA).glob("*.json"),
            self.root / "params.yaml",
            self.root / "dvc.lock",
        ]
        for path in sorted(path for path in files if path.is_file()):
            data = path.read_bytes()
            # As git names content, so that what is committed is parsed once.
            blob = hashlib.sha1(
                b"blob %d\0%b" % (len(data), data), usedforsecurity=False
            ).hexdigest()
            self._here[blob] = data
            found[path.relative_to(self.root).as_posix()] = blob
        return found

    def blob(self, blob: str) -> bytes:
        """Return the bytes of one blob."""
        known = self._here.get(blob)
        return self._object(blob) if known is None else known

    def file(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit, None where it has none of that name."""
        found = self.tree(commit).get(path)
        return None if found is None else self.blob(found)

    def records(self, commit: str) -> dict[str, tuple[str, str]]:
        """Return the path of each record, with its stage and benchmark."""
        return {
            path: place
            for path in self.tree(commit)
            if (place := place_of(path)) is not None
        }

    def record(self, commit: str, path: str) -> Record:
        """Return one record."""
        return self._record(commit, path)[0]

    def digest(self, commit: str, path: str) -> str:
        """Return DVC's digest of a record."""
        return self._record(commit, path)[1]

    def _record(self, commit: str, path: str) -> tuple[Record, str]:
        blob = self.tree(commit)[path]
        if blob not in self._records:
            data = self.blob(blob)
            try:
                record = record_of(data, self._lines, f"{path} of {shown(commit)}")
                self._records[blob] = record, md5(data)
            except MmclustError as error:
                self._records[blob] = error
        found = self._records[blob]
        if isinstance(found, MmclustError):
            raise found
        return found

    def stages(self, commit: str) -> list[Stage]:
        """Return what dvc.lock says of each stage; of a damaged one, nothing."""
        return self._stages(self.tree(commit).get("dvc.lock", ""))

    def _stages(self, blob: str) -> list[Stage]:
        data = self.blob(blob) if blob else b""
        try:
            return stages_of(data, self._blocks)
        except MmclustError:
            return []

    def origins(self, commit: str) -> dict[str, list[str | None]]:
        """Return what dvc.lock says of each record; see :func:`origins_of`."""
        blob = self.tree(commit).get("dvc.lock", "")
        if blob not in self._origins:
            self._origins[blob] = self.cache.of(
                "lock", blob, lambda: origins_of(self._stages(blob))
            )
        return self._origins[blob]

    def params(self, commit: str) -> dict[str, str]:
        """Return the flat params of a commit as texts."""
        blob = self.tree(commit).get("params.yaml", "")
        if blob not in self._params:
            self._params[blob] = self.cache.of(
                "params", blob,
                lambda: texts_of(flat_params(self.blob(blob) if blob else b"")),
            )  # fmt: skip
        return self._params[blob]

    def is_before_records(self, commit: str) -> bool:
        """Whether a commit has scores, but in the files of earlier versions."""
        old = [
            path
            for path in self.tree(commit)
            if path.startswith("metrics/") and path != "metrics/budget.json"
            and path.endswith((".json", ".csv"))
        ]  # fmt: skip
        return bool(old) and not any(path.startswith(RECORDS) for path in old)


def md5(data: bytes) -> str:
    """Return DVC's digest of a file."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def shown(commit: str) -> str:
    """Return a commit as people see it."""
    return commit[:SHORT] if commit != WORKSPACE else "the workspace"

"""A row of the leaderboard made again, in a clean worktree of its commit."""

from __future__ import annotations

import contextlib
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from mmclust.board.contents import flat_params
from mmclust.board.history import environment, git, lines, shown
from mmclust.board.rows import gather
from mmclust.core import numerics
from mmclust.core.errors import MmclustError, some
from mmclust.core.io import private, require_file, write_bytes
from mmclust.core.yaml_file import parse_lock
from mmclust.scoring.record import COLUMNS, Record, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mmclust.board.rows import Row

LOCKS = "requirements*.lock"
_KEPT_LINES = 20
_GRACE_S = 5
_TEMPORARY = "mmclust-temporary"
_FOLDER = "mmclust-reproduce"
_ABSENT = "(absent)"
_BOUNDS = {"mean": ("low", "high"), "diff": ("diff_low", "diff_high")}

Value = str | float | None


@dataclass(frozen=True)
class Verdict:
    """The recorded numbers against those made again."""

    row: Row
    again: float | None  # its number, made again; None where it is gone
    ran: tuple[str, ...]  # stages that ran; the others came from DVC's cache
    n_values: int
    differing: tuple[tuple[str, Value, Value], ...]  # name, recorded, made again
    largest: float  # difference between two numbers
    tolerance: float
    outside: tuple[str, ...] = ()  # scores that left the interval recorded with them
    n_bounded: int = 0  # differing values that are scores with an interval
    unpromised: tuple[str, ...] = ()  # why equality is not promised
    same_bytes: bool = False  # of the whole file

    @property
    def same(self) -> bool:
        """Whether every value is equal, or a number within the tolerance."""
        return all(_close(then, now, self.tolerance) for _, then, now in self.differing)

    @property
    def within(self) -> bool:
        """Whether every score that differs stays in the interval recorded with it."""
        return self.n_bounded > 0 and not self.outside


def find_row(root: Path, wanted: str) -> Row:
    """Return the row whose id begins as given, of any branch or experiment."""
    rows = gather(root, branches=True).rows
    found = [row for row in rows if wanted and row.id.startswith(wanted)]
    if len(found) == 1 and not found[0].commit:
        raise MmclustError(
            f"The row {found[0].id} is of the workspace alone",
            expected="a number that a commit has",
            do="commit metrics, plots and dvc.lock first",
        )
    if len(found) != 1:
        ids = some(row.id for row in found)
        raise MmclustError(
            f"{'Several rows begin' if found else 'No row begins'} with {wanted!r}",
            expected="the id of one row",
            found=ids or None,
            do="copy the first column of "
            "`mmclust leaderboard --history --metric all --branches`",
        )
    return found[0]


def other_locks(root: Path, commit: str) -> list[str]:
    """Return the lock files that differ between a commit and this checkout."""
    names = {path.name for path in root.glob(LOCKS)}
    names |= {n for n in lines(root, "ls-tree", "--name-only", commit)
              if Path(n).match(LOCKS)}  # fmt: skip
    differ = []
    for name in sorted(names):
        here = root / name
        if _at(root, commit, name) != (here.read_bytes() if here.is_file() else None):
            differ.append(name)
    return differ


def _at(root: Path, commit: str, path: str) -> bytes | None:
    """Return a file as a commit has it, None where it has none."""
    try:
        return git(root, "show", f"{commit}:{path}")
    except MmclustError:
        return None


def reproduce(
    root: Path,
    row: Row,
    *,
    tolerance: float = 0.0,
    upstream: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Run the stage that made a number, at its commit, and compare."""
    path = row.held.path
    recorded = git(root, "show", f"{row.made}:{path}")
    stage = stage_of(root, row.made, path)
    with worktree(root, row.made) as tree:
        _share_cache(root, tree)
        if not upstream:  # what persists is not in DVC's cache of runs
            _dvc(tree, ["checkout", "--quiet", "--allow-missing"], tell)
        forced = ["--force"] if upstream else []
        printed = _dvc(tree, ["repro", *forced, stage], tell)
        ran = re.findall(r"Running stage '([^']+)'", printed)
        if stage not in ran:  # restored, which would prove nothing
            again = ["repro", "--force", "--single-item", "--no-run-cache", stage]
            _dvc(tree, again, tell)
            ran.append(stage)
        made = require_file(tree / path).read_bytes()
    return compare(
        row,
        parse(recorded, f"{path} of {shown(row.made)}"),
        parse(made, f"{path}, made again"),
        tuple(ran),
        tolerance,
        unpromised=unpromised(root, row.made),
        same_bytes=recorded == made,
    )


def compare(
    row: Row,
    recorded: Record,
    made: Record,
    ran: tuple[str, ...],
    tolerance: float,
    *,
    unpromised: tuple[str, ...] = (),
    same_bytes: bool = False,
) -> Verdict:
    """Return the verdict on a record, every value of it."""
    then, now = _values(recorded), _values(made)
    differing = {
        at: (then.get(at, _ABSENT), now.get(at, _ABSENT))
        for at in {**then, **now}
        if then.get(at, _ABSENT) != now.get(at, _ABSENT)
    }
    outside, n_bounded = [], 0
    for at, (_, new) in differing.items():
        low, high = (then.get((*at[:-1], end)) for end in _BOUNDS.get(at[-1], ("", "")))
        if _is_number(low) and _is_number(high):
            n_bounded += 1
            if not (_is_number(new) and low <= new <= high):  # gone, or elsewhere
                outside.append(_name(at))
    again = made.mean(row.score.key, row.metric)
    return Verdict(
        row,
        again,
        ran,
        len(then),
        tuple((_name(at), *both) for at, both in differing.items()),
        max(
            (abs(a - b) for a, b in differing.values()
             if _is_number(a) and _is_number(b)),
            default=0.0,
        ),
        tolerance,
        tuple(outside),
        n_bounded,
        unpromised,
        same_bytes,
    )  # fmt: skip


def _values(record: Record) -> dict[tuple[str, ...], Value]:
    """Return every value: of what, compared with what, which column."""
    names = ("encoder", "view", "method", "metric", "versus")
    return {
        (*(getattr(score, name) for name in names), column): getattr(score, column)
        for score in record
        for column in COLUMNS
        if column not in names and getattr(score, column) not in (None, "")
    }


def _name(at: tuple[str, ...]) -> str:
    *key, metric, versus, column = at
    what = " ".join(part for part in (*key, metric) if part)
    against = f" against {versus}" if versus else ""
    return what if column == "mean" else f"{what}{against}: {column}"


def _is_number(value: Value) -> TypeGuard[float]:
    return isinstance(value, int | float)


def _close(then: Value, now: Value, tolerance: float) -> bool:
    if not (_is_number(then) and _is_number(now)):
        return False
    return math.isclose(then, now, rel_tol=0, abs_tol=tolerance)


def unpromised(root: Path, commit: str) -> tuple[str, ...]:
    """Return why a commit's numbers need not come out equal here; empty: they must."""
    then = flat_params(_at(root, commit, "params.yaml")).get("numerics")
    here = os.environ.get(numerics.VARIABLE)
    reasons = []
    if then is None:
        reasons.append("recorded before numerics was a param")
    elif then != "portable":
        reasons.append(f"recorded with numerics: {then}")
    if here and here != then:
        reasons.append(f"{numerics.VARIABLE}={here} here")
    if not numerics.possible():
        reasons.append("this machine has no AVX2")
    if other_locks(root, commit):
        reasons.append("other packages")
    return tuple(reasons)


def stage_of(root: Path, commit: str, path: str) -> str:
    """Return the stage that dvc.lock of a commit says made a file."""
    for stage in parse_lock(_at(root, commit, "dvc.lock")):
        if path in stage.outs:
            return stage.name
    raise MmclustError(
        f"Nothing says which stage made {path}",
        where=f"dvc.lock of {commit}",
        expected=f"a stage with {path} among its outs",
        do="choose a row of a commit that followed `dvc repro`",
    )


@contextlib.contextmanager
def worktree(root: Path, commit: str) -> Iterator[Path]:
    """Give a clean checkout of a commit in a temporary folder, and remove it again.

    The environment of this checkout, ``.venv``, is linked. SIGTERM removes it, too.
    """
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with private(Path(tempfile.gettempdir()) / _FOLDER) as folder:
            _forget_killed(root)
            tree = folder / "tree"
            (folder / _TEMPORARY).mkdir()
            try:
                git(root, "worktree", "add", "--quiet", "--detach", str(tree), commit)
                if (root / ".venv").exists() and not (tree / ".venv").exists():
                    (tree / ".venv").symlink_to((root / ".venv").resolve())
                yield tree
            finally:
                _forget(root, str(tree))
    finally:
        signal.signal(signal.SIGTERM, before)


def _forget(root: Path, tree: str) -> None:
    """Unregister one worktree, there or gone; a user's own stay (no `prune`)."""
    with contextlib.suppress(MmclustError):
        git(root, "worktree", "remove", "--force", "--force", tree)


def _forget_killed(root: Path) -> None:
    """Unregister what killed runs left; their folders have been swept."""
    for line in lines(root, "worktree", "list", "--porcelain"):
        tree = Path(line.removeprefix("worktree "))
        ours = tree.parent.name.startswith(f".{_FOLDER}.") and tree.name == "tree"
        if ours and not tree.exists():
            _forget(root, str(tree))


def _share_cache(root: Path, tree: Path) -> None:
    """Let the worktree read and fill this repository's cache."""
    printed = _dvc(root, ["cache", "dir"], lambda _: None)
    cache = root.resolve() / printed.strip().splitlines()[-1]
    write_bytes(tree / ".dvc/config.local", f"[cache]\n    dir = {cache}\n".encode())


def _dvc(folder: Path, arguments: list[str], tell: Callable[[str], None]) -> str:
    """Run DVC with this interpreter's environment; return what it printed.

    Its temporary files go beside the worktree, where they are removed even after a
    kill.
    """
    own = {key: value for key, value in environment().items() if key != "PYTHONPATH"}
    own["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{own.get('PATH', '')}"
    own["DVC_NO_ANALYTICS"] = "1"  # needs no network
    if (folder.parent / _TEMPORARY).is_dir():
        own["TMPDIR"] = str(folder.parent / _TEMPORARY)
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    printed = []
    with subprocess.Popen(  # noqa: S603 (fixed arguments, no shell)
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder,
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # so that all it starts can be stopped with it
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                kept.append(line)
                printed.append(line)
                tell(line.rstrip("\n"))
        except BaseException:
            _stop(process)
            raise
    if process.returncode:
        raise MmclustError(
            f"dvc {arguments[0]} failed at that commit",
            where=" ".join(["dvc", *arguments]),
            found="\n" + "".join(kept).rstrip(),
            do="see above; the packages of that time may have been others",
        )
    return "".join(printed)


def _stop(process: subprocess.Popen[str]) -> None:
    """End a process and all that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            return

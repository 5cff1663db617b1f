"""What an output was made of, so that a stage whose inputs are the same does nothing.

DVC reruns a stage when any file under its deps changed, and deps are whole folders. The
expensive stages then look closer: beside its outputs each keeps a record, an output of
DVC of its own (``data/fingerprints/<stage>/…``, which no stage depends on), of

- the syntax trees, without docstrings, of the modules it runs: comments do not count;
  and files beside a module that its code names, such as a table;
- its inputs by content, its own params, the seed, numerics, weights;
- the versions of the libraries of numbers that its modules import;
- the sha256 of every file that it wrote.

If all of this is as it was, nothing is computed. A record that is missing, damaged or
of another format does not count, nor does one whose outputs are not the recorded files,
all of them and no others. So a record is written last, and an interrupted run leaves
none that holds.

Files are known by their sha256. That of a large file which has not changed since it
was read (same size, inode and time stamps) is remembered in ``.mmclust/``, so that
gigabytes are read once; a file that changed moments ago is not remembered, because a
clock may be too coarse to tell the next change.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import re
import sys
import time
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import resolve_name
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmclust.core.errors import MmclustError
from mmclust.core.io import TEMPORARY, file_digest, read_note, write_json
from mmclust.core.numerics import in_use

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FOLDER = Path("data/fingerprints")
FORMAT = 1
"""Another one makes every record out of date."""
PACKAGE = Path(__file__).parents[1]
MEMORY = Path(".mmclust/digests.json")
LARGE = 1 << 24
"""Bytes from which a file's sha256 is remembered."""
SETTLED = 2.0
"""Seconds after which a file's time stamps tell its next change."""

WITHOUT_CODE = (
    "mmclust.core.fingerprint",
    "mmclust.core.params",
    "mmclust.core.plugins",
)
"""Modules that give a stage values and plugins alone, which its record holds: a new
option of the report, or another known name, encodes nothing again."""

BY_NAME = ("import_module", "__import__")
"""Functions that import a module by its name."""
FILE_NAME = re.compile(r"(?:\w[\w-]*/)*\w[\w-]*(?:\.\w+)+")
"""How code names data that lie beside it."""

LIBRARIES = {
    "PIL": ("pillow",),
    "cv2": ("opencv-python-headless", "opencv-python"),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "numpy": ("numpy",),
    "open_clip": ("open-clip-torch",),
    "scipy": ("scipy",),
    "sentence_transformers": ("sentence-transformers",),
    "simplejpeg": ("simplejpeg",),
    "sklearn": ("scikit-learn",),
    "spacy": ("spacy", "en-core-web-sm"),
    "timm": ("timm",),
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "transformers": ("transformers", "tokenizers"),
}
"""What may change a number, by the name it is imported by, and its packages."""


@dataclass(frozen=True)
class Fingerprint:
    """What a stage's outputs would be made of, and the record of what they are.

    ``before`` has, of each file that was there, what changes when it is written anew.
    """

    what: str
    record: Path
    outs: tuple[Path, ...]
    made_of: dict[str, Any]
    before: dict[Path, tuple[int, ...]]

    def holds(self) -> bool:
        """Tell whether the outputs are there, whole, and made of just this."""
        found = read_note(self.record)
        return (
            found.get("format") == FORMAT
            and found.get("made_of") == self.made_of
            and all(out.exists() for out in self.outs)
            and found.get("outputs") == digests(self.outs)
        )

    def why(self) -> str:
        """Say in a few words why it does not hold; empty for a first run."""
        found = read_note(self.record)
        made_of = found.get("made_of")
        if found.get("format") != FORMAT or not isinstance(made_of, dict):
            return ""
        changed = sorted(_differences(made_of, self.made_of))
        if not changed:
            return "an output is missing or is not what was written"
        more = f" and {len(changed) - 2} more" if len(changed) > 2 else ""  # noqa: PLR2004
        return f"changed: {', '.join(changed[:2])}{more}"

    def write(self) -> None:
        """Remove what an earlier run left and this one did not write; then record.

        Every file is written under a new inode (:func:`mmclust.core.io.writing`): one
        that is still the file that was there before the run is none of this run's.
        """
        for path, stamp in self.before.items():
            if os.path.lexists(path) and _stamp(path) == stamp:
                path.unlink()
        for folder in {path.parent for path in self.before}:
            _remove_empty(folder, self.outs)
        write_json(
            self.record,
            {"format": FORMAT, "made_of": self.made_of, "outputs": digests(self.outs)},
        )


def fingerprint(
    names: Iterable[str],
    outs: Iterable[Path],
    *,
    modules: Iterable[str],
    inputs: Iterable[Path],
    options: Any,
    weights: Any = None,
) -> Fingerprint:
    """Take the fingerprint of a run that has not begun."""
    names, outs = tuple(names), tuple(outs)
    options = _plain(options)
    closure = code(*modules)
    made_of = {
        "code": closure,
        "libraries": libraries(closure),
        "numerics": in_use(),
        "options": options,
        "weights": _plain(weights),
        "inputs": digests(inputs),
        "files": digests(Path(p) for p in _files_named(options)),
    }
    record = FOLDER.joinpath(*names[:-1], f"{names[-1]}.json")
    before = {path: _stamp(path) for out in outs for path in _files(out)}
    return Fingerprint(" ".join(names), record, outs, made_of, before)


def code(*modules: str) -> dict[str, str]:
    """Return a digest of each module of this package that some modules import."""
    found: dict[str, str] = {}
    todo = list(modules)
    while todo:
        name = todo.pop()
        if name in found or name.startswith(WITHOUT_CODE):
            continue
        module = _module(name)
        found[name] = module.digest
        todo += module.imports
    return dict(sorted(found.items()))


def libraries(modules: Iterable[str]) -> dict[str, str]:
    """Return the versions of :data:`LIBRARIES` that modules import.

    A build's label (``+cpu``) is left out: what it may change, the device and
    numerics say.
    """
    used = {library for name in modules for library in _module(name).libraries}
    return {name: _versions(LIBRARIES[name]) for name in sorted(used)}


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return the sha256 of files and of all files in folders, by path.

    What killed writers left is passed over, as DVC does; a missing path is ``absent``,
    and so is a link to nothing: one into DVC's cache, of what is no longer there.
    """
    memory = read_note(MEMORY)
    found, known = {}, dict(memory)
    for path in paths:
        if not path.exists():
            found[path.as_posix()] = "absent"
        for file in _files(path):
            found[file.as_posix()] = (
                _remembered(file, known) if file.exists() else "absent"
            )
    if known != memory and FOLDER.parent.is_dir():  # not beside a user's pictures
        kept = {name: entry for name, entry in known.items() if Path(name).exists()}
        with contextlib.suppress(MmclustError):  # it saves work, and nothing else
            write_json(MEMORY, kept)
    return dict(sorted(found.items()))


class _Module(NamedTuple):
    digest: str
    imports: tuple[str, ...]
    libraries: tuple[str, ...]


@cache
def _module(name: str) -> _Module:
    path = _source(name)
    if path is None:
        raise MmclustError("There is no such module", where=name)
    tree = ast.parse(path.read_bytes())
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imported = list(_imports(tree, package))
    paths = [each.split(".") for each in (name, *imported)]
    own = [parts for parts in paths if parts[0] == PACKAGE.name]
    wanted = {p for parts in own for p in accumulate(parts, "{}.{}".format)}
    texts = [_text(tree), *(f"{p.name} {file_digest(p)}" for p in _beside(tree, path))]
    return _Module(
        hashlib.sha256("".join(texts).encode()).hexdigest()[:16],
        tuple(sorted(filter(_source, wanted - {name}))),
        tuple({each.partition(".")[0] for each in imported} & LIBRARIES.keys()),
    )


def _source(name: str) -> Path | None:
    """Return a module's file; ``None`` for a name that is not one."""
    if name.partition(".")[0] != PACKAGE.name:  # a plugin from elsewhere, loaded
        file = getattr(sys.modules.get(name), "__file__", None)
        return file and Path(file)
    place = PACKAGE.parent.joinpath(*name.split("."))
    for path in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if path.is_file():
            return path
    return None


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Yield what code imports; of ``from a import b`` both a and a.b."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING":
            todo += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")
                above = above[: len(above) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Call) and _name(node.func) in BY_NAME:
            texts = [str(a.value) for a in node.args if isinstance(a, ast.Constant)]
            if texts and texts[0].startswith("."):
                texts[0] = resolve_name(texts[0], (*texts, package)[1])
            yield from texts
        todo += ast.iter_child_nodes(node)


def _beside(tree: ast.Module, path: Path) -> list[Path]:
    """Return the files in a module's folder, or below, that its code names."""
    found = set()
    for node in ast.walk(tree):
        text = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and FILE_NAME.fullmatch(text):
            found.add(path.parent / text)
    return sorted(file for file in found if file.is_file() and file.suffix != ".py")


def _name(node: ast.AST) -> str:
    """Return the last part of a name such as ``typing.TYPE_CHECKING``."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _text(node: Any) -> str:
    """Return a syntax tree as text, without positions, docstrings and the version.

    Not by ``ast.dump``, which writes the same tree in other words in Python 3.13.
    """
    if isinstance(node, ast.AST):
        fields = [(n, v) for n, v in ast.iter_fields(node) if n not in _UNSAID]
        said = [f"{n}={_text(v)}" for n, v in fields if v is not None and v != []]
        return f"{type(node).__name__}({''.join(said)})"
    if isinstance(node, list):
        return f"[{''.join(_text(e) + ',' for e in node if not _says_nothing(e))}]"
    return repr(node)


_UNSAID = {"ctx", "kind", "type_comment"}
"""Fields that follow from the others, or change nothing."""


def _says_nothing(node: Any) -> bool:
    """Tell whether a statement is text alone, or the package's version."""
    if isinstance(node, ast.Expr):
        text = isinstance(node.value, ast.Constant) and node.value.value
        return isinstance(text, str)
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    return isinstance(target, ast.Name) and target.id == "__version__"


@cache
def _versions(packages: tuple[str, ...]) -> str:
    found = []
    for package in packages:
        try:
            found.append(version(package).partition("+")[0])
        except PackageNotFoundError:
            continue
    return " ".join(found) or "absent"


def _files(path: Path) -> Iterator[Path]:
    """Yield a file, or a folder's files, but for what killed writers left."""
    if path.is_file():
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(f for f in folders if not TEMPORARY.fullmatch(f))
        for name in sorted(names):
            if not TEMPORARY.fullmatch(name):
                yield Path(folder, name)


def _stamp(path: Path) -> tuple[int, ...]:
    s = path.stat() if path.exists() else path.lstat()  # a link to nothing
    return (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)


def _remembered(path: Path, known: dict[str, Any]) -> str:
    """Return a file's sha256: the one in ``known`` if it has not changed since."""
    name, before = path.as_posix(), [*_stamp(path)]
    entry = known.get(name)
    if isinstance(entry, list) and entry[:-1] == before:
        return str(entry[-1])
    digest = file_digest(path)
    known.pop(name, None)
    settled = time.time() - max(before[2:]) / 1e9 > SETTLED
    if settled and before[1] >= LARGE and [*_stamp(path)] == before:
        known[name] = [*before, digest]
    return digest


def _remove_empty(folder: Path, outs: tuple[Path, ...]) -> None:
    """Remove a folder that is empty now, and so its parents, inside the outputs."""
    while any(out in folder.parents for out in outs):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _plain(value: Any) -> Any:
    """Return a value as JSON gives it back: lists for tuples, mappings for params."""
    return json.loads(json.dumps(value, default=asdict))


def _files_named(value: Any) -> Iterator[str]:
    """Yield texts among options that are paths of files."""
    if isinstance(value, str):
        try:
            if Path(value).expanduser().is_file():
                yield str(Path(value).expanduser())
        except (OSError, ValueError, RuntimeError):
            return
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _files_named(each)


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any], where: str = ""
) -> Iterator[str]:
    """Yield the dotted keys at which two records differ."""
    for key in before.keys() | after.keys():
        one, two = before.get(key), after.get(key)
        if isinstance(one, dict) and isinstance(two, dict):
            yield from _differences(one, two, f"{where}{key}: ")
        elif one != two:
            yield f"{where}{key}"

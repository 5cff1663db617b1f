"""Plugins under names of one's own, and blocks of options, read strictly."""

from __future__ import annotations

import dataclasses
import math
import re
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.known_names import KNOWN
from mmclust.core.plugins import CAPTIONER, known, load, plugin_of, require
from mmclust.core.yaml_file import parse_yaml

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")

IS = "is"
"""The key of a block that names its plugin; without, its own name does."""


@dataclass(frozen=True)
class Instance:
    """A plugin with its options, under the name that everything made of it has.

    The plugin is ``mmclust/<kind>/<plugin>.py``, ``options`` its ``Params``.
    """

    kind: str
    name: str
    plugin: str
    options: Any

    @property
    def module(self) -> Any:
        """What the plugin offers; where that hangs on options, ``offers`` says it."""
        module = load(self.kind, self.plugin)
        return module.offers(self.options) if hasattr(module, "offers") else module

    @property
    def modules(self) -> list[str]:
        """The modules that it runs, for fingerprints."""
        module = self.module
        return [module.__name__, *getattr(module, "modules", ())]

    @property
    def alias(self) -> dict[str, str]:
        """What a record says beside the name, where the name alone does not tell."""
        told = plugin_of(self.kind, self.name)
        return {} if told == self.plugin else {IS: self.plugin}

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Name the instance in errors of its plugin, which does not know the name."""
        try:
            yield
        except MmclustError as error:
            error.replace(f"{self.kind}.{self.plugin}", f"{self.kind}.{self.name}")
            if self.name not in str(error):
                error.what = f"{self.name}: {error.what}"
            raise


def instance_of(
    kind: str, name: str, block: Any, where: str, given: str = "params.yaml"
) -> Instance:
    """Read the block of options of a name, known or one's own.

    ``is`` is among them where the name is not a plugin's. ``where`` and ``given`` are
    the block's key, and the file it is in, for errors.
    """
    options, known_as = {} if block is None else block, name
    if isinstance(block, dict) and IS in block:
        known_as = _known_as(kind, name, block[IS], where, given)
        options = {key: value for key, value in block.items() if key != IS}
    elif kind != "captioners":
        require(kind, name, () if given == "params.yaml" else None)
    plugin = plugin_of(kind, known_as)
    defaults = dict(KNOWN.get(kind, {}).get(known_as, {}))
    defaults.pop(IS, None)
    module = load(kind, plugin)
    if defaults and isinstance(options, dict):
        options = _over(defaults, options, module.Params, kind, where, given)
    params = convert(options, module.Params, where, given)
    if hasattr(module, "completed"):
        params = module.completed(params, where, given)
    return Instance(kind, name, plugin, params)


def _known_as(kind: str, name: str, is_: object, where: str, given: str) -> str:
    """Return the known name that ``is`` gives, where it may stand."""
    at = f"{where}.{IS}" if where else IS
    options = [CAPTIONER] if kind == "captioners" else known(kind)
    if not isinstance(is_, str) or is_ not in options:
        raise MmclustError(
            f"{IS} in {given} names no {kind.removesuffix('s')}",
            where=at,
            expected=nearest(str(is_), options),
            found=is_,
            do=f"correct {at}"
            + (f", or add a file to mmclust/{kind}/" if kind != "captioners" else ""),
        )
    if name in options and plugin_of(kind, name) != plugin_of(kind, is_):
        raise MmclustError(
            f"{name} is the name of another {kind.removesuffix('s')}",
            where=at,
            expected=f"{plugin_of(kind, name)}, which {name} stands for everywhere",
            found=is_,
            do=f"choose a name of your own for what is {is_}",
        )
    return is_


def _over(
    defaults: Mapping[str, Any],
    options: dict[str, Any],
    params: type,
    kind: str,
    where: str,
    given: str,
) -> dict[str, Any]:
    """Put options over a known name's; those of a fusion's members are its own, too."""
    members: dict[str, Any] = defaults.get("members", {})
    if not members:
        return {**defaults, **options}
    fields = _fields(params)
    found = {**defaults, "members": dict(members)}
    for key, value in options.items():
        dotted = f"{where}.{key}" if where else str(key)
        if key in members:
            instance_of(kind, key, value, dotted, given)
            found["members"][key] = value
        elif key in fields:
            found[key] = value
        else:
            raise _unknown(key, where, {*members, *fields}, given)
    return found


def convert(value: Any, kind: type[T], where: str, given: str = "params.yaml") -> T:
    """Turn plain YAML values into a frozen dataclass, strictly."""
    _refuse_unknown(value, kind, where, given)
    _refuse_endless(value, where, given)
    try:
        return msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        tail = at.rstrip("`").removeprefix(".")
        key = ".".join(part for part in (where, tail) if part)
        expected = message.removeprefix("Expected ").partition(", got ")[0]
        for json, word in (("`object", "`mapping"), ("`array", "`list")):
            expected = expected.replace(json, word)
        if key == "model.k":  # msgspec names neither the words nor the types alone
            expected = "a number from 1, null (as many as classes) or auto"
        elif (words := _words(kind, tail)) and not expected.startswith("`int`"):
            expected = words
        raise _wrong(key, expected, _lookup(value, tail), given) from error


def _wrong(key: str, expected: str, found: object, given: str) -> MmclustError:
    return MmclustError(
        f"A value in {given} has the wrong type or is out of range",
        where=key or "the whole file",
        expected=expected,
        found=repr(found),
        do=f"correct {key or 'the file'} in {given}",
    )


def _refuse_unknown(value: Any, kind: Any, where: str, given: str) -> None:
    """Refuse keys that a dataclass lacks, and what is no block where blocks stand."""
    if not isinstance(value, dict):
        return
    if get_origin(kind) is dict:  # msgspec does not say which key is wrong
        for key, inner in value.items():
            if not isinstance(key, str):
                expected = "text as a name; in quotes where YAML reads it otherwise"
                raise _wrong(where, expected, key, given)
            convert(inner, get_args(kind)[1], f"{where}.{key}", given)
    if not isinstance(kind, type) or not dataclasses.is_dataclass(kind):
        return
    known_fields = _fields(kind)
    for key, inner in value.items():
        if key not in known_fields:
            raise _unknown(key, where, known_fields, given)
        dotted = f"{where}.{key}" if where else str(key)
        _refuse_unknown(inner, known_fields[key], dotted, given)


def _refuse_endless(value: Any, where: str, given: str) -> None:
    """Refuse ``.inf`` and ``.nan``: no option means anything with them."""
    if isinstance(value, float) and not math.isfinite(value):
        raise _wrong(where, "a finite number", value, given)
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_endless(inner, f"{where}.{key}" if where else str(key), given)
    if isinstance(value, list):
        for i, inner in enumerate(value):
            _refuse_endless(inner, f"{where}[{i}]", given)


def _words(kind: type[Any], dotted: str) -> str:
    """Say in words what a field takes that is true or false, or one of some words."""
    found: Any = kind
    for part in dotted.split("."):
        if not isinstance(found, type) or not dataclasses.is_dataclass(found):
            return ""
        found = _fields(found).get(part)
    if found is bool:
        return "true or false"
    several = get_args(found) if get_origin(found) in (UnionType, Union) else (found,)
    if not any(get_origin(each) is Literal for each in several):
        return ""
    said: list[str] = []
    for each in several:
        if get_origin(each) is Literal:
            said += map(str, get_args(each))
        else:
            said += ["null" if each is type(None) else "a whole number"]
    return " or ".join(said)


@cache
def _fields(kind: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _unknown(
    key: object, where: str, known_keys: Iterable[str], given: str
) -> MmclustError:
    dotted = f"{where}.{key}" if where else str(key)
    return MmclustError(
        f"Unknown key {dotted!r} in {given}",
        where=where or "the top level",
        expected=nearest(str(key), known_keys),
        found=key,
        do=f"correct or remove {dotted}",
    )


def _lookup(value: Any, at: str) -> Any:
    """Return what stands at a place such as ``k_sweep[0]``."""
    for key, index in re.findall(r"([^.\[\]]+)(?=[.\[]|$)|\[(\d+)\]", at):
        if key and not (isinstance(value, dict) and key in value):
            break
        value = value[key] if key else value[int(index)]
    return value


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Turn ``key=value`` texts into a mapping; values are read as in params.yaml."""
    block: dict[str, Any] = {}
    for option in options:
        key, equals, value = option.partition("=")
        key = key.strip()
        if not equals or not key or key in block:
            raise MmclustError(
                "An option of the method cannot be read",
                where="--set",
                expected="key=value, for instance n_init=20; each key once",
                found=option,
            )
        block[key] = parse_yaml(value, f"--set {option}")
    return block


def refuse_options(block: Mapping[str, Any], idle: Collection[str], why: str) -> None:
    """Refuse options that would have no effect."""
    for key in block:
        if key in idle:
            raise MmclustError(
                f"The option {key} has no effect here: {why}",
                where="--set",
                found=key,
                do="leave it out",
            )

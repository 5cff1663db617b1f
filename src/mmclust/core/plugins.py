"""Plugins are found by name: one file in a folder is one plugin.

``load("encoders", "hog")`` imports ``mmclust.encoders.hog`` and nothing else.
Files whose names start with an underscore are helpers, not plugins. Some names are
known that have no file, or share one: ``known_names.yaml``. Under a name of one's own
a plugin runs with other options: :func:`instance_of`.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmclust.core.errors import MmclustError, nearest
from mmclust.core.yaml_file import (
    convert,
    dotted,
    parse_yaml,
    read_yaml,
    refuse_unknown,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from types import ModuleType

_PACKAGE = Path(__file__).parent.parent
_NAMES = read_yaml(Path(__file__).with_name("known_names.yaml"))

KNOWN: dict[str, dict[str, dict[str, Any]]] = _NAMES["known"]
"""By kind and name: the plugin that it ``is``, and options of it."""
SHARED: dict[str, dict[str, str]] = _NAMES["shared"]
"""By kind and name: the file of plugins that share one, as classes of their names."""
CAPTIONER = "blip"
"""The model that writes captions, under whatever name; in ``mmclust/models``."""
IS = "is"
"""The key of a block that names its plugin; without, its own name does."""


@cache
def names(kind: str) -> tuple[str, ...]:
    """Return the sorted names of the plugins of a kind, importing none."""
    found = pkgutil.iter_modules([str(_PACKAGE / kind)])
    plain = {m.name for m in found if not m.ispkg and not m.name.startswith("_")}
    shared = SHARED.get(kind, {})
    return tuple(sorted(plain - set(shared.values()) | shared.keys()))


def known(kind: str) -> list[str]:
    """Return the sorted names that need no ``is``: plugins, and known names."""
    if kind == "captioners":
        return [CAPTIONER]
    return sorted({*names(kind), *KNOWN.get(kind, {})})


def plugin_of(kind: str, name: str) -> str:
    """Return the plugin that a name without ``is`` stands for, known or not.

    Captions have any name: one plugin writes them.
    """
    if kind == "captioners":
        return CAPTIONER
    return str(KNOWN.get(kind, {}).get(name, {}).get(IS, name))


def load(kind: str, name: str) -> ModuleType:
    """Import one plugin by its name, or a known one."""
    if kind == "captioners":
        return importlib.import_module(f"mmclust.models.{CAPTIONER}")
    require(kind, name)
    plugin = plugin_of(kind, name)
    file = SHARED.get(kind, {}).get(plugin)
    module = importlib.import_module(f"mmclust.{kind}.{file or plugin}")
    return getattr(module, plugin) if file else module


def require(kind: str, name: str, own: Iterable[str] | None = None) -> None:
    """Refuse a name that is neither known nor, in params.yaml, one's ``own``."""
    options = sorted({*known(kind), *(own or ())})
    says = "" if own is None else f" say in params.yaml what it is ({name}: {{is: …}}),"
    if name not in options:
        raise MmclustError(
            f"Unknown {kind.removesuffix('s')} {name!r}",
            where=f"mmclust/{kind}/" if own is None else f"{kind} in params.yaml",
            expected=nearest(name, options),
            found=name,
            do=f"correct the name,{says} or add a file to mmclust/{kind}/",
        )


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
    module = load(kind, plugin)
    if isinstance(options, dict):
        options = _over(kind, known_as, options, module.Params, where, given)
    params = convert(options, module.Params, where, given)
    if hasattr(module, "completed"):
        params = module.completed(params, where, given)
    return Instance(kind, name, plugin, params)


def _known_as(kind: str, name: str, is_: object, where: str, given: str) -> str:
    """Return the known name that ``is`` gives, where it may stand."""
    at, options = dotted(where, IS), known(kind)
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
    kind: str, name: str, options: dict[str, Any], params: type, where: str, given: str
) -> dict[str, Any]:
    """Put options over a known name's; those of a fusion's members are its own, too."""
    defaults = {**KNOWN.get(kind, {}).get(name, {})}
    defaults.pop(IS, None)
    members = defaults.get("members", {})
    blocks = {key: value for key, value in options.items() if key in members}
    plain = {key: value for key, value in options.items() if key not in members}
    fields = {each.name for each in dataclasses.fields(params)}
    refuse_unknown(plain, fields | members.keys(), where, given)
    found = {**defaults, **plain}
    if blocks:
        for key, value in blocks.items():
            instance_of(kind, key, value, dotted(where, key), given)
        at = dotted(where, "members")
        found["members"] = convert(found["members"], dict[str, Any], at, given) | blocks
    return found


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

"""Commands whose arguments are names, as words and as dvc.yaml writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from mmclust.core.plugins import require_name

if TYPE_CHECKING:
    from collections.abc import Sequence

MATRIX = ("source", "benchmark", "captioner", "encoder", "head", "word_model")
"""The keys of dvc.yaml's matrices that are arguments of commands."""


class NamesCommand(TyperCommand):
    """Takes ``--benchmark NAME`` for the argument NAME; refuses what is no name.

    dvc.yaml writes names as ``${item}``, for which DVC puts ``--benchmark NAME``,
    quoted for the shell; as ``${item.benchmark}`` a name could be a command of its own.
    """

    def parse_args(self, ctx: Any, args: Sequence[str]) -> list[str]:
        """Parse words; see :class:`NamesCommand`."""
        options = {option for parameter in self.params for option in parameter.opts}
        words = {f"--{key}" for key in MATRIX} - options
        rest = super().parse_args(ctx, [word for word in args if word not in words])
        for parameter in self.params:
            if parameter.param_type_name != "argument":
                continue
            given = ctx.params.get(parameter.name)
            for name in given if isinstance(given, list | tuple) else [given]:
                if isinstance(name, str):  # not a path
                    require_name(name, "what is asked for", str(parameter.name).upper())
        return rest

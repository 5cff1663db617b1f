"""Options that several commands share, and what becomes of them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from mmclust.core.errors import MmclustError
from mmclust.core.text import require_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mmclust.core.fingerprint import Fingerprint
    from mmclust.core.params import Params

MATRIX = (
    "source", "benchmark", "captioner", "encoder", "head", "word_model", "name",
)  # fmt: skip
"""The keys of dvc.yaml's matrices that are arguments of commands."""


TAKE_NAMES = ("cluster", "head", "nouns", "panels")
"""Commands that are given arrays where ``fit`` is meant."""


class NamesCommand(TyperCommand):
    """Takes ``--benchmark NAME`` for the argument NAME; refuses what is no name.

    dvc.yaml writes names as ``${item}``, for which DVC puts ``--benchmark NAME``,
    quoted for the shell; as ``${item.benchmark}`` a name could be a command of its own.
    """

    def parse_args(self, ctx: Any, args: Sequence[str]) -> list[str]:
        """Parse words; see :class:`NamesCommand`."""
        options = {option for parameter in self.params for option in parameter.opts}
        words = {f"--{key}" for key in MATRIX} - options
        arrays = [each for each in args if each.startswith("--") and "features" in each]
        if ctx.info_name in TAKE_NAMES and arrays:
            raise MmclustError(
                f"mmclust {ctx.info_name} takes names of the pipeline, not arrays",
                found=arrays[0],
                do="for features of your own: mmclust fit METHOD --features x.npy "
                "--k 10 --out clusters.csv",
            )
        rest = super().parse_args(ctx, [word for word in args if word not in words])
        for parameter in self.params:
            if parameter.param_type_name != "argument":
                continue
            given = ctx.params.get(parameter.name)
            for name in given if isinstance(given, list | tuple) else [given]:
                if isinstance(name, str):  # not a path
                    require_name(name, "what is asked for", str(parameter.name).upper())
        return rest


class ArraysCommand(TyperCommand):
    """Takes ``--image-features``, as `score retrieval` has it, for ``--features``."""

    def parse_args(self, ctx: Any, args: Sequence[str]) -> list[str]:
        """Parse words; see :class:`ArraysCommand`."""
        image = re.compile(r"--(test-)?image-features(?==|$)")
        named = [image.sub(r"--\1features", word) for word in args]
        return super().parse_args(ctx, named)


def usable(device: str) -> str:
    """Return a device's name if it can be computed on; refuse it at once if not."""
    if device == "cpu":
        return device
    from mmclust.models.compute import require_device

    return require_device(device)


def all_usable(devices: str) -> str:
    """Return devices, parted by commas, if all can be computed on and are of one kind.

    Seeds of one model would else have numbers of several kinds of processors.
    """
    names = [usable(each.strip()) for each in devices.split(",")]
    if len({name.partition(":")[0] for name in names}) > 1:
        raise MmclustError(
            "Devices of several kinds would give numbers of several kinds",
            where="--device",
            expected="devices of one kind, such as cuda:0,cuda:1",
            found=devices,
        )
    return ",".join(names)


def n_workers(workers: int) -> int:
    """Return the number of processes; 0 stands for the cores this one may use."""
    if workers:
        return workers
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


DEVICE, WORKERS = "MMCLUST_DEVICE", "MMCLUST_WORKERS"
"""What stands for --device and --workers where they are left out, as in dvc.yaml."""
Device = Annotated[
    str,
    typer.Option(
        help="Where torch runs: cpu, cuda, cuda:1, mps.",
        callback=usable,
        envvar=DEVICE,
    ),
]
Devices = Annotated[
    str,
    typer.Option(
        "--device",
        help="Where torch runs: cpu, cuda, mps; cuda:0,cuda:1 share the seeds.",
        callback=all_usable,
        envvar=DEVICE,
    ),
]
Workers = Annotated[
    int,
    typer.Option(
        min=0, help="Processes; 0: one per core.", callback=n_workers, envvar=WORKERS
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Of every random number of the run.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="key=value: an option, its value as in YAML; repeatable. Without: the "
        "defaults.",
    ),
]
Ids = Annotated[
    Path | None, typer.Option(help="One image_id per line; without: rows from 0.")
]
Built = Annotated[str, typer.Argument(help="A built benchmark.")]
FineGrained = Annotated[str, typer.Argument(help="For instance mscoco_fg.")]
ImageFeatures = Annotated[
    Path | None, typer.Option(help="An .npy array, one row per image.")
]
Json = Annotated[Path, typer.Option(help="The JSON file to write.")]
ResampleSeed = Annotated[int, typer.Option(min=0, help="Of the resamples.")]
MaxClusters = Annotated[
    int | None,
    typer.Option(min=1, help="As many may be in it; default: as many as classes."),
]


def require_plugins(
    params: Params, benchmark: str, *names: str, kind: str = "encoders"
) -> None:
    """Refuse names that neither exist nor are in params, with the nearest that do."""
    from mmclust.core.plugins import require

    require("benchmarks", benchmark, params.benchmarks)
    for name in names:
        require(kind, name, getattr(params, kind))


def as_before(made: Fingerprint) -> bool:
    """Tell whether a run would give what is there, and say so; or why it runs again."""
    if made.holds():
        typer.echo(f"{made.what}: as before: nothing to do", err=True)
        return True
    if why := made.why():
        typer.echo(f"{made.what}: {why}", err=True)
    return False

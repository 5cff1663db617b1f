"""`mmclust encode`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_COMPUTING = "How it is computed"


def encode(
    benchmark: Annotated[str, typer.Argument(help="A built benchmark.")],
    encoders: Annotated[
        list[str],
        typer.Argument(
            metavar="ENCODER...", help="One or more, such as hog; decoded together."
        ),
    ],
    device: Annotated[
        str,
        typer.Option(
            help="Where torch models run: cpu, cuda, mps; cuda:0,cuda:1 for a "
            "process on each.",
            rich_help_panel=_COMPUTING,
        ),
    ] = "cpu",
    workers: Annotated[
        int,
        typer.Option(
            min=0,
            help="Processes; beside a GPU they decode. 0: one per core, on Ray one "
            "per CPU of the cluster.",
            rich_help_panel=_COMPUTING,
        ),
    ] = 0,
    batch_size: Annotated[
        int,
        typer.Option(
            min=0,
            help="Images a model gets at once. 0: 32 on the CPU, 256 on a GPU. Other "
            "sizes may change the last bit of a model's features.",
            rich_help_panel=_COMPUTING,
        ),
    ] = 0,
    engine: Annotated[
        str,
        typer.Option(
            help="local, or ray: on the cluster that RAY_ADDRESS names.",
            rich_help_panel=_COMPUTING,
        ),
    ] = "local",
    precision: Annotated[
        str,
        typer.Option(
            help="float32; bf16 or fp16 by autocast, for encoders with a torch model.",
            rich_help_panel=_COMPUTING,
        ),
    ] = "float32",
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile",
            help="Compile torch models; other encoders refuse it.",
            rich_help_panel=_COMPUTING,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say how much there is to do and how long it may take."
        ),
    ] = False,
) -> list[str]:
    """Turn a benchmark's images and captions into features.

    Labels are not read. Several encoders share each decoded picture. A run that was
    stopped continues where it was: run the same command again. Where features are
    there, made by the same code from the same data and options, nothing is done. The
    bytes are the same at any number of workers, on either engine, and for several
    encoders or one after the other. Flags that may change a byte are recorded in
    features.json.

    Encoders that need no weights were run on photographs, and sbert with its real
    MiniLM weights; the other pretrained ones on small test checkpoints only. See
    docs/encoders.md.
    """
    from mmclust.cli._options import (
        as_before,
        n_workers,
        require_plugins,
        tell_left_out,
        tell_zero_rows,
    )
    from mmclust.core.params import read_params
    from mmclust.encode.engine import Options
    from mmclust.encode.plan import plan_run
    from mmclust.encode.stage import encode as encode_run
    from mmclust.encode.stage import fingerprint_of

    params = read_params()
    for encoder in encoders:
        require_plugins(benchmark, encoder)
    options = Options(
        devices=tuple(each.strip() for each in device.split(",")),
        workers=workers if workers or engine == "ray" else n_workers(workers),
        batch_size=batch_size or None,
        engine=engine,
        precision=precision,
        compiled=compiled,
    )
    run = plan_run(
        Path("data/benchmarks") / benchmark / "manifest.parquet",
        {encoder: params.encoder_options(encoder, benchmark) for encoder in encoders},
        {encoder: Path("data/features") / benchmark / encoder for encoder in encoders},
        seed=params.seed,
        policy=params.encode,
        options=options,
        made=Path("data/captions") / benchmark,
    )
    if dry_run:
        from mmclust.encode.dry_run import estimate

        typer.echo("\n".join(estimate(run)))
        return []
    found = [(work, fingerprint_of(work, run)) for work in run.works]
    due = [(work, made) for work, made in found if not as_before(made)]
    if not due:
        return []
    dims = encode_run(run.only(*(work for work, _ in due)))
    for work, made in due:
        made.write()
        encoder = work.plan.encoder
        views = dims[encoder].items()
        text = ", ".join(f"{view} {dim}-d" for view, dim in views)
        typer.echo(f"{benchmark} {encoder}: {text}; wrote {work.out}")
        tell_zero_rows(work.out)
        tell_left_out(work.out)
    return list(dims)

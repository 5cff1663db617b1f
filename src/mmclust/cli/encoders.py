"""From pictures and captions to features: captions made here, features, embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmclust.cli._options import (
    DEVICE,
    WORKERS,
    Built,
    Device,
    FineGrained,
    Workers,
    as_before,
    n_workers,
    require_plugins,
)
from mmclust.cli._show import tell_left_out, tell_zero_rows

_COMPUTING = "How it is computed"
Encoders = Annotated[
    list[str],
    typer.Argument(
        metavar="ENCODER...", help="One or more, such as hog; decoded together."
    ),
]
ModelDevices = Annotated[
    str,
    typer.Option(
        help="Where torch models run: cpu, cuda, mps; cuda:0,cuda:1 for a "
        "process on each.",
        rich_help_panel=_COMPUTING,
        envvar=DEVICE,
    ),
]
EncodeWorkers = Annotated[
    int,
    typer.Option(
        min=0,
        help="Processes; beside a GPU they decode. 0: one per core, on Ray one "
        "per CPU of the cluster.",
        rich_help_panel=_COMPUTING,
        envvar=WORKERS,
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        min=0,
        help="Images a model gets at once. 0: 32 on the CPU, 256 on a GPU. Other "
        "sizes may change the last bit of a model's features.",
        rich_help_panel=_COMPUTING,
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        help="local, or ray: on the cluster that RAY_ADDRESS names.",
        rich_help_panel=_COMPUTING,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        help="float32; bf16 or fp16 by autocast, for encoders with a torch model.",
        rich_help_panel=_COMPUTING,
    ),
]
Compiled = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Compile torch models; other encoders refuse it.",
        rich_help_panel=_COMPUTING,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Say how much there is to do and how long it may take."
    ),
]


def caption(
    benchmark: Built,
    name: Annotated[
        str,
        typer.Argument(help="Of captioners in params.yaml, or blip: its defaults."),
    ],
    device: Device = "cpu",
    workers: Workers = 0,
) -> list[str] | None:
    """Let a model caption a benchmark's images, for text encoders to read.

    Beside a GPU, workers decode; else each needs the model in memory. Neither labels
    nor the publisher's captions are read. Encoders read what is
    written where their option captions has the same NAME: caption_sbert by default
    reads blip. A run that was stopped continues where it was: run the same command
    again. The bytes are the same at any number of workers.
    """
    from mmclust.core.errors import MmclustError, nearest
    from mmclust.core.io import read_table
    from mmclust.core.params import read_params
    from mmclust.encode.captioning import caption as caption_run
    from mmclust.encode.captioning import fingerprint_of_captions, plan_captions

    params = read_params()
    require_plugins(params, benchmark)
    known = {"blip": None} | params.captioners
    if name not in known:
        raise MmclustError(
            f"Unknown captioner {name!r}",
            where="captioners in params.yaml",
            expected=nearest(name, known),
            found=name,
            do="correct the name, or add it under captioners",
        )
    out = Path("data/captions") / benchmark / f"{name}.parquet"
    manifest = Path("data/benchmarks") / benchmark / "manifest.parquet"
    run = plan_captions(
        manifest,
        name,
        out,
        block=known[name],
        seed=params.seed,
        corrupt=params.encode.corrupt,
        device=device,
    )
    made = fingerprint_of_captions(run)
    if as_before(made):
        return []
    n_captions = caption_run(run, workers)
    made.write()
    typer.echo(f"{benchmark} {name}: {n_captions} captions an image; wrote {out}")
    meta = read_table(out)[1]
    for what, count in (
        ("captions end at max_length, unfinished", meta["captions_cut"]),
        ("damaged pictures have none", len(meta.get("skipped", {}))),
    ):
        if count:
            typer.echo(f"{benchmark} {name}: {count:,} {what}", err=True)
    return None


def encode(
    benchmark: Built,
    encoders: Encoders,
    device: ModelDevices = "cpu",
    workers: EncodeWorkers = 0,
    batch_size: BatchSize = 0,
    engine: Engine = "local",
    precision: Precision = "float32",
    compiled: Compiled = False,
    dry_run: DryRun = False,
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
    from mmclust.core.params import read_params
    from mmclust.encode.engine import Options
    from mmclust.encode.plan import plan_run
    from mmclust.encode.stage import encode as encode_run
    from mmclust.encode.stage import estimate, fingerprint_of

    params = read_params()
    require_plugins(params, benchmark, *encoders)
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
        {name: params.encoder_options(name, benchmark) for name in encoders},
        {name: Path("data/features") / benchmark / name for name in encoders},
        seed=params.seed,
        policy=params.encode,
        options=options,
        made=Path("data/captions") / benchmark,
    )
    if dry_run:
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
        text = ", ".join(f"{view} {dim}-d" for view, dim in dims[encoder].items())
        typer.echo(f"{benchmark} {encoder}: {text}; wrote {work.out}")
        tell_zero_rows(work.out)
        tell_left_out(work.out)
    return list(dims)


def embed(
    benchmark: FineGrained,
    encoder: Annotated[
        str, typer.Argument(help="An encoder of images and captions, such as clip.")
    ],
    device: Device = "cpu",
    workers: Workers = 0,
) -> None:
    """Embed a benchmark's images, and each of its captions by itself.

    An encoder that learns is not fitted on what it will be asked: it is taken as it
    was fitted on the benchmark that retrieval.fitted_on names.
    """
    from mmclust.core.params import read_params
    from mmclust.encode.embed import embed as embed_run
    from mmclust.encode.embed import fingerprint_of_embeddings, plan_embedding
    from mmclust.encode.engine import Options

    params = read_params()
    require_plugins(params, benchmark, encoder)
    out = Path("data/embeddings") / benchmark / encoder
    fitted = Path("data/features") / params.retrieval.fitted_on / encoder
    run = plan_embedding(
        Path("data/benchmarks") / benchmark,
        encoder,
        out,
        fitted=fitted,
        block=params.encoder_options(encoder, benchmark),
        seed=params.seed,
        policy=params.encode,
        options=Options(devices=(device,), workers=workers),
    )
    made = fingerprint_of_embeddings(run, fitted)
    if as_before(made):
        return
    found = embed_run(run)
    made.write()
    rows = ", ".join(f"{name} {count:,}" for name, count in found.items())
    typer.echo(f"{benchmark} {encoder}: {rows}; wrote {out}")
    tell_left_out(out, "embeddings.json")

"""What the tests of the stage share."""

from mmclust.core.io import read_table, write_table
from mmclust.core.manifest import canonical_digest
from mmclust.core.params import EncodeParams
from mmclust.encode.captioning import caption, plan_captions
from mmclust.encode.engine import Options
from mmclust.encode.plan import plan_run
from mmclust.encode.stage import encode as encode_run

SMALL = {
    "hog": {"size": 32, "cell": 8},
    "miniclip": {"dim": 8, "size": 16, "width": 8, "steps": 4, "batch": 16},
}


def manifest_of(root):
    return root / "data/benchmarks/tiny/manifest.parquet"


def encode(root, *encoders, out="out", blocks=None, policy=None, **options):
    """Encode, and return the bytes of every file by encoder and name."""
    outs = {e: root / out / e for e in encoders}
    run = plan_run(
        manifest_of(root),
        {e: (blocks or {}).get(e, SMALL.get(e)) for e in encoders},
        outs,
        seed=1,
        policy=EncodeParams(**(policy or {})),
        options=Options(**options),
    )
    encode_run(run)
    return {
        f"{e}/{path.name}": path.read_bytes()
        for e, folder in outs.items()
        for path in sorted(folder.iterdir())
    }


def encode_benchmark(manifest, encoder, out, *, block, seed, workers=1):
    """Encode one benchmark with one encoder."""
    options = Options(workers=workers)
    run = plan_run(manifest, {encoder: block}, {encoder: out}, seed=seed,
                   options=options)  # fmt: skip
    encode_run(run)


def caption_benchmark(manifest, captioner, out, *, workers=1, **options):
    """Caption one benchmark."""
    return caption(plan_captions(manifest, captioner, out, **options), workers)


def arrays(files):
    return {name: data for name, data in files.items() if name.endswith(".npy")}


def without_captions(root, *rows):
    """Take the captions of some rows away."""
    path = manifest_of(root)
    table, meta = read_table(path)
    captions = table["captions"].to_pylist()
    for row in rows:
        captions[row] = []
    at = table.column_names.index("captions")
    table = table.set_column(at, "captions", [captions])
    write_table(path, table, {**meta, "digest": canonical_digest(meta, table)})

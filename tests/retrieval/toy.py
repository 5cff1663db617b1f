"""A built retrieval benchmark of generated names, and embeddings of it."""

import numpy as np

from mmclust.core.io import write_table
from mmclust.core.manifest import Row, write_manifest


def write_pool(folder, n=20, added=30, per_image=5, original=True, texts=None):
    """Build ``n`` query images with captions and ``added`` ones without."""
    queries = [f"COCO_val2014_{i:012d}" for i in range(n)]
    others = [f"{i:012d}" for i in range(added)]
    captions = {
        name: tuple(f"fine {i} {j}" for j in range(per_image))
        for i, name in enumerate(queries)
    }
    captions |= texts or {}
    rows = [
        Row(name, None, f"{name}.jpg", None, None, None, None,
            captions.get(name, ()), "test")
        for name in queries + others
    ]  # fmt: skip
    write_manifest(
        folder / "manifest.parquet", rows, benchmark="toy_fg", protocol="1", sources={}
    )
    if original:
        import pyarrow as pa

        plain = [[f"plain {i} {j}" for j in range(per_image)] for i in range(n)]
        table = pa.table({"image_id": queries, "captions": plain})
        write_table(folder / "captions_original.parquet", table, {})
    return queries, others


def write_features(folder, name, ids, rows):
    np.save(folder / f"{name}.npy", np.asarray(rows, dtype=np.float32))
    (folder / f"{name}.txt").write_text("".join(f"{i}\n" for i in ids))
    return folder / f"{name}.npy", folder / f"{name}.txt"


def unit(rng, n, d=16):
    rows = rng.standard_normal((n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)

"""A head's clusters of rows that are asked for, against those of the stage."""

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.io import read_json, write_json
from mmclust.core.manifest import read_manifest
from mmclust.heads._stage import assign_rows, head_of_benchmark
from tests.heads.test_stage import ready, settings  # noqa: F401 (a fixture)


@pytest.mark.parametrize("head", ["tac", "concat_kmeans"])
def test_they_are_those_that_the_stage_gives(ready, head):  # noqa: F811
    """Of the same rows, seed by seed; of a trained head also of any part of them."""
    params = settings(heads=(head,))
    expected = head_of_benchmark(ready, "tiny", head, params).labels
    manifest = read_manifest(ready / "data/benchmarks/tiny/manifest.parquet")
    rows = manifest.evaluate_rows
    for seed, labels in enumerate(expected):
        found = assign_rows(manifest, rows, params, ready, head=head, run=seed)
        assert np.array_equal(found, labels)
    if head == "tac":
        part = assign_rows(manifest, rows[5:9], params, ready, head=head)
        assert np.array_equal(part, expected[0][5:9])


def test_heads_of_another_manifest_and_heads_that_do_not_run(ready):  # noqa: F811
    params = settings(heads=("tac",))
    head_of_benchmark(ready, "tiny", "tac", params)
    manifest = read_manifest(ready / "data/benchmarks/tiny/manifest.parquet")
    rows = manifest.evaluate_rows
    with pytest.raises(MmclustError, match="The head 'dxmc' does not run"):
        assign_rows(manifest, rows, params, ready, head="dxmc")
    path = ready / "data/heads/tiny/tac/head.json"
    write_json(path, read_json(path) | {"manifest": "0" * 64})
    with pytest.raises(MmclustError, match="trained on another manifest"):
        assign_rows(manifest, rows, params, ready, head="tac")

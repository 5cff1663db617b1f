"""A picture that cannot be decoded is left out of everything, up to the page."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mmclust.clusterers._stage import cluster_benchmark
from mmclust.core.clusters import read_clusters
from mmclust.core.errors import MmclustError
from mmclust.core.io import read_json, read_table, write_table
from mmclust.core.manifest import canonical_digest, read_manifest
from mmclust.core.params import (
    EncodeParams,
    ModelParams,
    NounsParams,
    Params,
    ScoreParams,
)
from mmclust.encode.embed import embed, plan_embedding
from mmclust.encode.plan import plan_run
from mmclust.encode.stage import encode as encode_run
from mmclust.heads._nouns import nouns_of_benchmark
from mmclust.heads._panels import panels_of_benchmark
from mmclust.heads._stage import assign_rows, head_of_benchmark
from mmclust.report.page import make_report
from mmclust.retrieval.stage import retrieve_benchmark
from mmclust.scoring.stage import score_benchmark
from tests.encode.staging import (
    caption_benchmark,
    encode,
    manifest_of,
    without_captions,
)
from tests.encoders import tiny as make
from tests.heads.test_panels import module as panels
from tests.heads.test_stage import TAC, WORDS

BAD = (7, 22)
MINICLIP = {"dim": 8, "size": 16, "width": 8, "steps": 10, "batch": 12}
HEADS = ("tac", "dxmc", "concat_kmeans", "image_kmeans", "counterpart_kmeans")


def settings(**model):
    return Params(
        seed=5,
        benchmarks={"tiny": {}},
        encoders={"miniclip": MINICLIP, "lsa": {}},
        heads={"tac": TAC, "dxmc": {**TAC, "instance_hidden": 8, "instance_dim": 8}},
        nouns=NounsParams(vocabulary="words.txt", centres=4),
        model=ModelParams(
            n_seeds=2,
            clusterers=("kmeans",),
            heads=HEADS,
            benchmarks=("tiny",),
            **model,
        ),
        score=ScoreParams(n_resamples=100),
    )


def damage(root, rows=BAD):
    for row in rows:
        path = root / f"raw/{row:012d}.jpg"
        path.write_bytes(path.read_bytes()[:300])


def run_all(root, params, **policy):
    """Run the stages, by hand, from pictures to scores."""
    (root / "words.txt").write_text(WORDS)
    blocks = {name: params.encoders[name] for name in params.encoders}
    out = "data/features/tiny"
    encode(root, *blocks, out=out, blocks=blocks, policy=policy)
    nouns_of_benchmark(root, "tiny", params)
    for encoder in params.encoders:
        cluster_benchmark("tiny", encoder, params, root)
    for head in params.model.heads:
        head_of_benchmark(root, "tiny", head, params)
    return score_benchmark("tiny", params, root)[0]


def test_the_whole_way(tiny, monkeypatch):
    """Two of 36 are missing from nouns, heads, clusters, scores, panels and page."""
    damage(tiny)
    params = settings()
    scored = run_all(tiny, params, corrupt="skip")
    bad = [f"{row:012d}" for row in BAD]
    text = np.load(tiny / "data/nouns/tiny/counterparts.npy")
    assert np.flatnonzero(np.isnan(text).any(axis=1)).tolist() == list(BAD)
    assert read_json(tiny / "data/nouns/tiny/nouns.json")["skipped"] == 2
    for head in HEADS:
        path = tiny / f"data/clusters/tiny/heads/{head}.parquet"
        (found,), ids, meta = read_clusters(path)
        assert meta["skipped"] == bad
        assert len(ids) == found.labels.shape[1] == 34
        assert not set(bad) & set(ids)
        record = read_json(tiny / f"data/heads/tiny/{head}/head.json")
        assert record["fitted_on"] == 34
        rows = [s for s in scored if s.key[2] == head and s.metric == "n_samples"]
        assert {row.mean for row in rows} == {34}
    assert scored.mean(("miniclip", "concat", "kmeans"), "n_samples") == 34
    assert scored.mean(("lsa", "text", "kmeans"), "n_samples") == 36
    monkeypatch.setattr(panels, "ITERATIONS", 250)
    out = tiny / "panels.svg"
    assert panels_of_benchmark(tiny, "tiny", "tac", out, perplexity=5.0) == 34
    manifest = read_manifest(manifest_of(tiny))
    some = np.array([1, 7, 9])
    with pytest.raises(MmclustError, match="skipped images that need") as caught:
        assign_rows(manifest, some, params, tiny, head="tac")
    assert "000000000007" in str(caught.value)
    make_report(tiny, params, tiny / "report/index.html")
    page = (tiny / "report/index.html").read_text()
    assert "34" in page
    files = "".join(p.read_text() for p in (tiny / "report/files").rglob("*.js*"))
    assert "000000000008" in page + files
    assert not any(image_id in page + files for image_id in bad)


def test_they_are_as_if_they_had_never_been(tiny, tmp_path_factory):
    """Nouns and clusters of the rest, against a benchmark without the two."""
    params = replace(settings(), encoders={"clip": {}})
    folder = make.clip(tmp_path_factory.mktemp("clip"))
    block = {"model": str(folder), "short_side": 32, "crop": 32}
    params = replace(
        params,
        encoders={"clip": block},
        model=replace(params.model, encoder="clip", heads=("tac", "concat_kmeans")),
    )
    without = shutil.copytree(tiny, tmp_path_factory.mktemp("without") / "r")
    table, meta = read_table(manifest_of(without))
    table = table.take([row for row in range(36) if row not in BAD])
    meta["digest"] = canonical_digest(meta, table)
    write_table(manifest_of(without), table, meta)
    damage(tiny)
    for root in (tiny, without):
        run_all(root, params, corrupt="skip")
    one, two = ({}, {})
    for root, found in ((tiny, one), (without, two)):
        for name in ("heads/tac", "heads/concat_kmeans", "clip"):
            every, ids, _ = read_clusters(root / f"data/clusters/tiny/{name}.parquet")
            found[name] = ids, [each.labels.tolist() for each in every]
        words = read_table(root / "data/nouns/tiny/nouns.parquet")[0]
        found["nouns"] = words["word"].to_pylist()
    assert one == two


def test_images_without_captions_are_left_out_of_the_heads_too(tiny):
    """Skipped in one view of an encoder, an image is left out of all it makes."""
    without_captions(tiny, 4)
    params = replace(settings(), encoders={"miniclip": MINICLIP})
    scored = run_all(tiny, params, missing_captions="skip")
    assert scored.mean(("miniclip", "image", "tac"), "n_samples") == 35


def test_a_pool_is_searched_without_them(tiny):
    """Neither asked for nor found; how many is in the figures."""
    damage(tiny)
    skip = {"corrupt": "skip"}
    encode(tiny, "miniclip", out="data/features/tiny", blocks={"miniclip": MINICLIP},
           policy=skip)  # fmt: skip
    out = tiny / "data/embeddings/tiny/miniclip"
    run = plan_embedding(
        tiny / "data/benchmarks/tiny",
        "miniclip",
        out,
        fitted=tiny / "data/features/tiny/miniclip",
        block=MINICLIP,
        seed=5,
        policy=EncodeParams(**skip),
    )
    assert embed(run) == {"image": 34, "text_main": 3 * 34}
    record = retrieve_benchmark(
        tiny, "tiny", ["miniclip"], n_resamples=100, seed=1, top_k=5
    )
    key = ("miniclip", "main", "")
    assert record.mean(key, "n_pool") == 34
    assert record.mean(key, "n_skipped") == 2
    facts = json.loads((out / "embeddings.json").read_text())
    assert list(facts["skipped"]["image"]) == [f"{row:012d}" for row in BAD]


def test_a_picture_that_was_not_captioned_is_left_out(tiny, tmp_path):
    """The captioner skipped it as damaged, so it is not refused for its captions."""
    damage(tiny)
    block = {"model": str(make.blip(tmp_path / "blip")), "size": 32, "max_length": 8}
    made = tiny / "data/captions/tiny/blip.parquet"
    caption_benchmark(
        manifest_of(tiny), "blip", made, block=block, seed=1, corrupt="skip"
    )

    def text(**policy):
        run = plan_run(
            manifest_of(tiny),
            {"lsa": {"captions": "blip", "dim": 2}},
            {"lsa": tiny / "out/lsa"},
            seed=1,
            policy=EncodeParams(**policy),
            made=made.parent,
        )
        encode_run(run)
        return json.loads((tiny / "out/lsa/features.json").read_text())

    reasons = text(corrupt="skip")["skipped"]["text"]
    assert list(reasons) == [f"{row:012d}" for row in BAD]
    assert all("decode" in why for why in reasons.values())
    with pytest.raises(MmclustError, match="2 images have none"):
        text(corrupt="fail")

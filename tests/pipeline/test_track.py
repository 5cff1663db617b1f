"""The text-guided track from end to end, on files in Food-101's layout."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
import yaml

from mmclust.cli.preset import completed
from mmclust.core.clusters import read_clusters
from mmclust.core.manifest import read_manifest
from mmclust.scoring.record import path_of, read
from tests.conftest import ROOT, save_jpeg
from tests.encoders import tiny as make

DISHES = ("apple_pie", "pizza", "sushi")
N = 20
ENCODERS = {
    "hog": {"size": 64, "cell": 16},
    "color_histogram": {"bins": 8},
    "caption_sbert": {},
    "resnet50_caption_sbert": {},
}


def write_dishes(folder):
    """Pictures whose colour tells the dish, with noise."""
    rng = np.random.default_rng(0)
    for kind, dish in enumerate(DISHES):
        for i in range(N + 3):
            rgb = rng.integers(0, 120, (40, 48, 3), dtype=np.uint8)
            rgb[..., kind] += 90
            path = folder / "food-101/images" / dish / f"{1000 * kind + i}.jpg"
            save_jpeg(path, rgb)


def params_of(root):
    """The preset of Food-101, with tiny checkpoints in place of the real ones."""
    params = yaml.safe_load(completed(ROOT / "presets/text-guided-food.yaml"))
    blip, sbert = make.blip(root / "blip"), make.sbert(root / "sbert")
    resnet = make.torchvision(root / "resnet")
    image = {"model": "resnet18", "weights": str(resnet), "short_side": 40, "crop": 32}
    text = {"model": str(sbert), "revision": ""}
    params["benchmarks"]["food30"] = {
        "classes": list(DISHES),
        "images_per_class": N,
        "fractions": [0.5, 0.2, 0.3],
    }
    params["captioners"] = {
        "blip": {"model": str(blip), "revision": "", "n_captions": 2, "size": 32,
                 "max_length": 8}
    }  # fmt: skip
    params["encoders"] = ENCODERS | {
        "caption_sbert": text,
        "resnet50_caption_sbert": {"resnet50": image, "caption_sbert": text},
    }
    params["model"] |= {"n_seeds": 3, "k_sweep": []}
    params["clusterers"] |= {"kmeans": {"n_init": 2}}
    params["score"] |= {
        "n_resamples": 100,
        "baseline": {"encoder": "color_histogram", "view": "image",
                     "clusterer": "kmeans"},
    }  # fmt: skip
    return params


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    root = tmp_path_factory.mktemp("track")
    write_dishes(root / "data/raw/food101")
    for name in ("data/sources.yaml", "docs/published"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, root / name)
    write_params(root, params_of(root))
    return root


def write_params(root, params):
    (root / "params.yaml").write_text(yaml.safe_dump(params))


def run(repo, capsys, *arguments):
    """Run a command in this process, in the repository."""
    from mmclust.cli import app

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repo)
        app([str(a) for a in arguments], standalone_mode=False)
    return capsys.readouterr().out


def ids_of(repo, split):
    manifest = read_manifest(repo / "data/benchmarks/food30/manifest.parquet")
    return [i for i, s in zip(manifest.image_ids, manifest.splits, strict=True)
            if s == split]  # fmt: skip


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_build_to_score(repo, capsys):
    """Build, caption, encode, nouns, cluster, score: on val, by ARI."""
    run(repo, capsys, "build", "food30", "--workers", 1, "--allow-different")
    run(repo, capsys, "caption", "food30", "blip", "--workers", 1)
    for encoder in ENCODERS:
        run(repo, capsys, "encode", "food30", encoder, "--workers", 1)
    assert "no head asks for nouns" in run(repo, capsys, "nouns", "food30")
    for encoder in ENCODERS:
        run(repo, capsys, "cluster", "food30", encoder, "--workers", 1)
    run(repo, capsys, "score", "benchmark", "food30")
    record = read(path_of(repo, "score", "food30"))
    colour = record.of(("color_histogram", "image", "kmeans"))
    assert (colour["n_samples"].mean, colour["acc"].k) == (12, 3)
    assert colour["ari"].mean > 0.9
    fused = {v for e, v, _ in record.methods() if e == "resnet50_caption_sbert"}
    assert fused == {"image", "text", "concat"}


def test_views_are_compared_in_pairs(repo):
    """What is written is the difference of the means that the record holds."""
    record = read(path_of(repo, "score", "food30"))
    encoder = "resnet50_caption_sbert"
    for method in {m for e, _, m in record.methods() if e == encoder}:
        for view, other in (("text", "image"), ("concat", "image"), ("concat", "text")):
            pair = next(
                score for score in record.against(f"{encoder} {other} {method}", "ari")
                if score.key == (encoder, view, method)
            )  # fmt: skip
            theirs = record.mean((encoder, other, method), "ari")
            assert pair.diff == pytest.approx(pair.mean - theirs, abs=2e-6)
            assert pair.p is None or 0 < pair.p <= 1  # none where nothing varies


def test_features_are_handed_in_as_csv(repo, capsys):
    """One file per split; test has no label."""
    run(repo, capsys, "export", "food30", "--as", "csv", "--out", "out",
        "--features", "hog")  # fmt: skip
    heads = {
        split: rows_of(repo / f"out/csv/hog/image/{split}.csv")[0][:2]
        for split in ("train", "val", "test")
    }
    assert heads == {
        "train": ["id", "label"], "val": ["id", "label"], "test": ["id", "f0"],
    }  # fmt: skip


def test_a_submission_has_the_hidden_images_and_no_other(repo, capsys):
    """In the benchmark's order; checked; and scored only when revealed."""
    hidden = repo / "data/benchmarks/food30/hidden.parquet"
    aside = hidden.rename(hidden.with_name("elsewhere.parquet"))
    out = run(repo, capsys, "submit", "food30", "--encoder", "color_histogram")
    assert "18 images in 3 clusters" in out
    aside.rename(hidden)
    rows = rows_of(repo / "submission.csv")
    assert rows[0] == ["id", "cluster"]
    assert [row[0] for row in rows[1:]] == ids_of(repo, "test")
    said = run(repo, capsys, "submit", "food30", "--check", "submission.csv")
    assert "is valid: 18 images in 3 clusters, in the benchmark's order" in said
    run(repo, capsys, "score", "submission", "food30", "submission.csv", "--reveal",
        "--out", "test.json")  # fmt: skip
    record = json.loads((repo / "test.json").read_text())
    assert (record["n_samples"], record["n_classes"]) == (18, 3)
    assert record["ari"] > 0.8


def test_a_submission_is_what_evaluating_on_test_gives(repo, capsys, tmp_path):
    """Same clusters, to the number, as the stage's with `evaluate: [test]`."""
    shutil.copytree(repo, tmp_path / "copy")
    copy = tmp_path / "copy"
    params = yaml.safe_load((copy / "params.yaml").read_text())
    params["benchmarks"]["food30"]["evaluate"] = ["test"]
    write_params(copy, params)
    shutil.rmtree(copy / "data/benchmarks")
    run(copy, capsys, "build", "food30", "--workers", 1, "--allow-different")
    run(copy, capsys, "encode", "food30", "hog", "--workers", 1)
    run(copy, capsys, "cluster", "food30", "hog", "--workers", 1)
    clusterings, ids, _ = read_clusters(copy / "data/clusters/food30/hog.parquet")
    for one in clusterings:
        for seed, labels in enumerate(one.labels[:2]):
            run(repo, capsys, "submit", "food30", "--encoder", "hog", "--clusterer",
                one.clusterer, "--run", seed, "--out", "again.csv")  # fmt: skip
            expected = [[i, str(c)] for i, c in zip(ids, labels, strict=True)]
            assert rows_of(repo / "again.csv")[1:] == expected


def test_the_budget_counts_weights_once(repo, capsys):
    """BLIP and SBERT serve two encoders; hours are measured, not tracked."""
    out = run(repo, capsys, "budget")
    assert "within 10 hours, 4 gigabytes, 1,000,000,000 parameters" in out
    tracked = json.loads((repo / "metrics/budget.json").read_text())
    encoders = tracked["food30"]["encoders"]
    assert encoders["hog"] == {"parameters": 0, "bytes": 0}
    both, text = encoders["resnet50_caption_sbert"], encoders["caption_sbert"]
    assert both["parameters"] == tracked["parameters"]
    assert both["bytes"] == tracked["bytes"]
    assert both["parameters"] - text["parameters"] == 11_689_512  # ResNet-18's
    costs = sorted(p.name for p in (repo / "data/costs/food30").iterdir())
    assert "caption-blip.json" in costs
    assert "cluster-hog.json" in costs
    cost = json.loads((repo / "data/costs/food30/encode-hog.json").read_text())
    assert cost["complete"]
    assert cost["seconds"] > 0
    assert cost["peak_bytes"] > 1e7


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("parameters", 1000, r"at most 1,000 parameters[\s\S]*most in resnet18"),
        ("gigabytes", 1e-6, r"budget\.gigabytes[\s\S]*at most 1e-06 gigabytes"),
        ("hours", 1e-9, r"budget\.hours[\s\S]*hours; most in \w+ food30"),
    ],
)
def test_a_run_over_its_budget_fails(repo, run_mmclust, limit, value, message):
    """Exit code 1, the limit named, and what needs most."""
    before = (repo / "params.yaml").read_text()
    params = yaml.safe_load(before)
    params["budget"][limit] = value
    write_params(repo, params)
    done = run_mmclust("budget", cwd=repo)
    (repo / "params.yaml").write_text(before)
    assert done.returncode == 1
    assert re.search(message, done.stderr)
    assert "Traceback" not in done.stderr


def test_the_report_is_filled_from_the_record(repo, capsys):
    """Highest ARI first; its numbers are those of the record; nothing is left out."""
    run(repo, capsys, "track-report", "food30", "--test", "test.json")
    text = (repo / "report.md").read_text()
    record = read(path_of(repo, "score", "food30"))
    scores = sorted(record.mean(key, "ari") for key in record.methods())
    table = text.partition("| features | view | method | clusters |")[2]
    lines = table.partition("\n\n")[0].splitlines()[2:]
    assert len(lines) == len(scores)
    assert f"{scores[-1]:.3f}" in lines[0]
    assert "participant report" in text
    assert "0.0145" in text  # HOG's, beside ours
    assert "ours: 12 images, this project's classes" in text
    assert "### Image, text, and both" in text
    assert record.mean(("color_histogram", "image", "dbscan"), "noise") == 1
    assert "dbscan on color_histogram (image) leaves 100.0 % of the images" in text
    test = json.loads((repo / "test.json").read_text())
    assert f"scored on 18 images: ARI {test['ari']:.3f}" in text


def test_the_page_has_a_section_of_the_track(repo, capsys):
    """A map of every view of every encoder, and the views compared."""
    run(repo, capsys, "report", "--workers", 1)
    page = (repo / "report/index.html").read_text()
    assert "Text-guided: food30" in page
    for encoder, views in (("hog", 1), ("resnet50_caption_sbert", 3)):
        assert page.count(f'aria-label="t-SNE of {encoder}, ') == views
    assert re.search(r"the classes of\s+18 more are hidden", page)
    assert "11,767,832" in page


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda t: t.replace("id,cluster", "image_id,cluster"), "the header is"),
        (lambda t: t.partition("\n")[2], "the header is"),
        (lambda t: "\n".join(t.splitlines()[:-2]), r"2 missing ids \(sushi_"),
        (lambda t: t + "x_1,0\n", r"1 ids that are not hidden images \(x_1\)"),
        (lambda t: t + t.splitlines()[1] + "\n", "1 ids there more than once"),
        (lambda t: t.replace(",1\n", ",1.0\n"), r"no integers.*line \d+: '1\.0'"),
        (lambda t: t.replace(",1\n", ",\n"), "no integers"),
        (lambda t: t.replace(",1\n", ",1,9\n"), "lines without exactly two values"),
        (lambda _: "", "the header is 'missing'"),
        (lambda t: t.replace(",0\n", ",7\n", 1), r"found: +4 clusters\n"),
    ],
)
def test_what_is_wrong_with_a_submission_is_said(repo, capsys, edit, message):
    """Every fault by its name, with the ids or lines."""
    from mmclust.core.errors import MmclustError

    text = (repo / "submission.csv").read_text()
    (repo / "bad.csv").write_text(edit(text))
    with pytest.raises(MmclustError, match=message):
        run(repo, capsys, "submit", "food30", "--check", "bad.csv")


def test_more_clusters_than_classes_are_asked_for(repo, capsys):
    """Refused before a file is written, unless they are meant; so in scoring."""
    from mmclust.core.errors import MmclustError

    (repo / "many.csv").unlink(missing_ok=True)
    ids = ids_of(repo, "test")
    lines = ["id,cluster", *(f"{name},{i}" for i, name in enumerate(ids))]
    (repo / "bad.csv").write_text("\n".join(lines) + "\n")
    submitted = ["score", "submission", "food30", "bad.csv", "--reveal"]
    with pytest.raises(MmclustError, match="at most 3 clusters"):
        run(repo, capsys, *submitted)
    assert "ARI" in run(repo, capsys, *submitted, "--max-clusters", 18)
    before = (repo / "params.yaml").read_text()
    params = yaml.safe_load(before)
    params["model"]["k"] = 5
    write_params(repo, params)
    submit = ["submit", "food30", "--encoder", "hog", "--out", "many.csv"]
    with pytest.raises(MmclustError, match=r"many\.csv is no valid"):
        run(repo, capsys, *submit)
    assert not (repo / "many.csv").exists()
    assert "in 5 clusters" in run(repo, capsys, *submit, "--max-clusters", 5)
    (repo / "params.yaml").write_text(before)


def test_a_score_of_another_benchmark_is_not_shown(repo, capsys):
    from mmclust.core.errors import MmclustError

    (repo / "other.json").write_text('{"benchmark": "imagenet30"}')
    with pytest.raises(MmclustError, match=r"no score of a sub[\s\S]*imagenet30"):
        run(repo, capsys, "track-report", "food30", "--test", "other.json",
            "--out", "other.md")  # fmt: skip
    assert not (repo / "other.md").exists()


def test_train_and_val_ids_are_no_hidden_images(repo, capsys):
    """And a benchmark that hides nothing has nothing to submit."""
    from mmclust.core.errors import MmclustError

    ids = [*ids_of(repo, "test"), ids_of(repo, "train")[0], ids_of(repo, "val")[0]]
    lines = ["id,cluster", *(f"{i},0" for i in ids)]
    (repo / "bad.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(MmclustError, match="2 ids that are not hidden images"):
        run(repo, capsys, "submit", "food30", "--check", "bad.csv")
    folder = repo / "data/benchmarks/shown"
    shutil.copytree(repo / "data/benchmarks/food30", folder)
    folder.with_name("shown.json").write_text("{}")
    with pytest.raises(MmclustError, match="shown hides no class"):
        run(repo, capsys, "submit", "shown")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--encoder", "hgo"], "Did you mean 'hog'"),
        (["--encoder", "hog", "--view", "text"], "cannot cluster that view of hog"),
        (["--clusterer", "kmean"], "Did you mean 'kmeans'"),
        (["--encoder", "hog", "--clusterer", "concat_kmeans"],
         "needs image and text features"),
        (["--head", "tac"], "The head 'tac' does not run"),
    ],
)  # fmt: skip
def test_methods_that_are_not_there(repo, capsys, options, message):
    from mmclust.core.errors import MmclustError

    with pytest.raises(MmclustError, match=message):
        run(repo, capsys, "submit", "food30", *options)

"""`mmclust folder`: from any pictures to clusters and a page, in one command."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from collections import Counter

import numpy as np
import pytest

from mmclust.core.errors import MmclustError
from mmclust.models.packaged import PACKAGES, is_installed
from tests.conftest import save_jpeg
from tests.encoders import tiny

KINDS = ("red", "green", "blue", "grey")
REAL = all(map(is_installed, PACKAGES))


def picture(number, side=(60, 80)):
    """A picture of one of four kinds: a colour, its own grain."""
    rng = np.random.default_rng(number)
    rgb = rng.integers(0, 90, (*side, 3), dtype=np.uint8)
    kind = number % 4
    rgb[..., kind if kind < 3 else slice(None)] += 150
    return rgb


@pytest.fixture
def folder(tmp_path, monkeypatch, cli):
    """A folder to fill with 40 pictures, and the command run beside it.

    The fast encoder stands in for the default, which is what is installed.
    """
    pictures = tmp_path / "my pictures"
    monkeypatch.chdir(tmp_path)

    def run(*options, encoder="color_histogram", code=0):
        asked = ("--encoder", encoder) if encoder else ()
        done = cli("folder", "my pictures", *asked, "--workers", "1", *options)
        assert done.exit_code == code, done.output
        return done.output

    return pictures, run


def fill(pictures, name, side=(60, 80)):
    for number in range(40):
        save_jpeg(pictures / name(number), picture(number, side))


def results(tmp_path):
    out = tmp_path / "my pictures-clusters"
    with (out / "clusters.csv").open() as file:
        rows = list(csv.DictReader(file))
    return rows, (out / "page/index.html").read_text()


def groups(rows):
    """How many kinds of picture are in the clusters, together."""
    return {(row["cluster"], int(re.sub(r"\D", "", row["file"])) % 4) for row in rows}


def test_class_folders(tmp_path, folder):
    """Scored against the folders; stray files are counted, none is fatal."""
    pictures, run = folder
    fill(pictures, lambda n: f"{KINDS[n % 4]}/{n:03d}.jpg")
    save_jpeg(pictures / "loose.jpg", picture(1))
    (pictures / "red/broken.jpg").write_bytes(b"no picture")
    (pictures / "loose.txt").write_bytes("a café".encode("latin-1"))
    (pictures / "notes.txt").write_text("hello")
    told = run()
    assert "pictures in no class folder, NOT used: 1 (loose.jpg)" in told
    assert "cannot be read as a picture, NOT used: 1 (red/broken.jpg)" in told
    assert "other files, NOT used: 2 .txt" in told
    assert "40 pictures, 4 classes (for the scores)" in told
    assert "1.000 ±" in told
    rows, page = results(tmp_path)
    assert list(rows[0]) == ["file", "cluster", "name", "closeness"]
    assert len(rows) == 40
    assert len(groups(rows)) == 4
    assert all((pictures / row["file"]).is_file() for row in rows)
    assert "What is best" in page
    assert "built-in sample" not in page
    assert "Git revision" not in page


def test_flat_without_captions(tmp_path, folder, cli):
    """k is found, nothing is named or scored; another k keeps the features."""
    pictures, run = folder
    fill(pictures, lambda n: f"{n:03d}.jpg")
    told = run()
    assert "40 pictures, no captions" in told
    assert "named by nothing" in told
    rows, page = results(tmp_path)
    assert len(groups(rows)) == 4
    assert {row["name"] for row in rows} == {""}
    assert "What is best" not in page
    assert "Clusters of my-pictures" in page
    image = tmp_path / "my pictures-clusters/run/data/parts/image-color_histogram"
    before = (image / "image.npy").stat().st_ino
    run("--k", "2")
    assert len({row["cluster"] for row in results(tmp_path)[0]}) == 2
    assert (image / "image.npy").stat().st_ino == before
    (pictures / "000.jpg").unlink()
    run("--k", "2")
    assert len(results(tmp_path)[0]) == 39
    out = tmp_path / "my pictures-clusters"
    built, clusters = out / "run/data/benchmarks/my-pictures", out / "clusters.csv"
    done = cli(
        "export", built, "--as", "raw", "--clusters", clusters, "--out", "sorted"
    )
    assert done.exit_code == 0, done.output
    sizes = Counter(row["cluster"] for row in results(tmp_path)[0])
    for cluster, size in sizes.items():
        assert len([*(tmp_path / f"sorted/raw/images/c{cluster}").iterdir()]) == size


def test_flickr_captions(tmp_path, folder):
    """Three views; clusters bear words of their captions; one has none."""
    pictures, run = folder
    fill(pictures, lambda n: f"Images/{n:03d}.jpg")
    lines = [f"{n:03d}.jpg#{i}\ta {KINDS[n % 4]} thing {i}\n" for n in range(39)
             for i in range(2)]  # fmt: skip
    (pictures / "captions.token").write_text("".join(lines))
    told = run("--text-encoder", "lsa", "--k", "4")
    assert "40 pictures, 78 captions" in told
    assert "images without caption: 1" in told
    assert "named by keywords" in told
    rows, page = results(tmp_path)
    assert len(rows) == 40
    for row in rows[:39]:
        assert row["name"].split(", ")[0] == KINDS[int(row["file"][7:10]) % 4]
    assert "image + text" in page


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_tables(tmp_path, folder, kind):
    """Captions by a column of any name, classes from a table that lies elsewhere."""
    pictures, run = folder
    fill(pictures, lambda n: f"{n:03d}.jpg")
    entries = [(f"{n:03d}.jpg", f"some {KINDS[n % 4]} colour") for n in range(40)]
    if kind == "csv":
        lines = ["file_name,alt", *(f'{f},"{text}"' for f, text in entries)]
    else:
        lines = [json.dumps({"file_name": f, "alt": text}) for f, text in entries]
    (pictures / f"metadata.{kind}").write_text("\n".join(lines))
    labels = ["file,label", *(f"{f},{KINDS[int(f[:3]) % 4]}" for f, _ in entries)]
    (tmp_path / "classes.csv").write_text("\n".join(labels))
    told = run("--captions", "alt", "--labels", "classes.csv", "--text-encoder", "lsa")
    assert "40 pictures, 4 classes (for the scores), 40 captions" in told
    assert "captions from alt" in told
    rows, _ = results(tmp_path)
    assert {row["name"].split(", ")[0] for row in rows} == {*KINDS}
    told = run("--captions", "description", code=1)
    assert "No table has the column of captions" in told


def test_labels_that_changed_are_read_again(tmp_path, folder):
    """The features stay, and count for the labels that there are now."""
    pictures, run = folder
    fill(pictures, lambda n: f"{n:03d}.jpg")
    run("--k", "4")
    table = tmp_path / "classes.csv"
    for classes in (4, 2):
        rows = [f"{n:03d}.jpg,c{n % classes}" for n in range(40)]
        table.write_text("\n".join(["file,label", *rows]))
        assert f"{classes} classes (for the scores)" in run("--labels", "classes.csv")
        assert len({row["cluster"] for row in results(tmp_path)[0]}) == classes


def test_linked_pictures_that_changed_are_read_again(tmp_path, folder):
    """images/ may be a link to a folder elsewhere."""
    pictures, run = folder
    fill(tmp_path / "elsewhere", lambda n: f"{n:03d}.jpg")
    pictures.mkdir()
    (pictures / "images").symlink_to(tmp_path / "elsewhere")
    run("--k", "2")
    (tmp_path / "elsewhere/000.jpg").unlink()
    assert "39 pictures" in run("--k", "2")


def test_too_few_pictures(folder):
    """Said before anything is encoded, and what can be done."""
    pictures, run = folder
    save_jpeg(pictures / "0.jpg", picture(0))
    assert "at least 4 pictures" in run(code=1)
    for number in (1, 2):
        save_jpeg(pictures / f"{number}.jpg", picture(number))
    told = run(code=1)
    assert "say --k 3 or fewer" in told
    assert "params.yaml" not in told
    told = run("--k", "4", code=1)
    assert "at least 4 pictures" in told
    assert "pictures by" not in told
    assert "3 pictures in 3 clusters" in run("--k", "3")


def test_what_is_not_used_is_told(tmp_path, folder, cli):
    """Fewer clusters than asked for, a picture cut short, words, a table."""
    pictures, run = folder
    for number in range(8):
        save_jpeg(pictures / f"{number}.jpg", picture(number % 2))
    (pictures / "half.jpg").write_bytes((pictures / "0.jpg").read_bytes()[:900])
    (pictures / "what.csv").write_text("a,b\n1,2\n")
    (tmp_path / "words.txt").write_text("cat\n")
    told = run("--k", "5", "--vocabulary", "words.txt")
    assert "9 pictures" in told
    assert "1 images have no image features and are left out" in told
    assert "8 pictures in 2 clusters of 4 to 4, where 5 were asked for" in told
    assert "words of words.txt are NOT used" in told
    assert "--captions FILE, --labels FILE" in told
    told = run("--method", "dbscan", "--set", "min_samples=8")
    assert "0 pictures in 0 clusters of 0 to 0, 8 in none (-1)" in told
    assert {row["cluster"] for row in results(tmp_path)[0]} == {"-1"}
    done = cli("assign", pictures / "0.jpg", "--clusters",
               "my pictures-clusters/clusters.csv")  # fmt: skip
    assert "There is no cluster: all pictures are noise" in done.output
    assert "words.tx is missing" in run("--vocabulary", "words.tx", code=1)


def test_nouns_name_clusters_where_the_encoder_knows_words(tmp_path, folder, cli):
    """A checkpoint of CLIP's form, a list of words; a head that reads them."""
    pictures, run = folder
    fill(pictures, lambda n: f"{n:03d}.jpg", (32, 32))
    tiny.clip(tmp_path / "tuned")
    words = [*KINDS, "dog", "cat", "house", "tree", "boat", "cup", "sky", "road"]
    (tmp_path / "words.txt").write_text("\n".join(words))
    told = run(encoder="clip=tuned", code=1)
    assert "crop: 32" in told
    size = ("--set", "encoder.short_side=32", "--set", "encoder.crop=32")
    shared = ("--vocabulary", "words.txt", "--k", "3", *size)
    told = run(*shared, encoder="clip=tuned")
    assert "named by nouns of words.txt" in told
    rows, page = results(tmp_path)
    names = {row["name"] for row in rows}
    assert "" not in names
    assert {word for name in names for word in name.split(", ")} <= {*words}
    assert all(name.split(", ")[0] in page for name in names)
    told = run("--method", "tac", "--set", "epochs=2", "--set", "batch=20", "--set",
               "n_neighbors=10", *shared,
               encoder="clip=tuned")  # fmt: skip
    assert "40 pictures in " in told
    first = results(tmp_path)[0][0]
    done = cli("assign", pictures / first["file"], "--clusters",
               "my pictures-clusters/clusters.csv")  # fmt: skip
    assert done.exit_code == 0, done.output
    (pictures / "bad.jpg").write_bytes(b"no picture")
    done = cli("assign", pictures / "bad.jpg", "--clusters",
               "my pictures-clusters/clusters.csv")  # fmt: skip
    assert "A picture cannot be opened" in done.output
    assert "publisher" not in done.output
    assert "give words with --vocabulary" in run(
        "--k", "3", *size, encoder="clip=tuned"
    )


@pytest.mark.skipif(not REAL, reason="the extra weights is not installed")
def test_tiny_pictures_with_real_weights(tmp_path, folder, monkeypatch, cli):
    """32 × 32 pixels, as CIFAR's; by default real weights, named on the terminal."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no_hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pictures, run = folder
    fill(pictures, lambda n: f"{KINDS[n % 4]}/{n:03d}.png", (32, 32))
    told = run(encoder=None)
    assert "pictures by efficientnet_lite0" in told
    assert "better, and names clusters by nouns: CLIP" in told
    rows, _ = results(tmp_path)
    assert len(groups(rows)) == 4
    shutil.copy(pictures / "red/000.png", tmp_path / "new.png")
    done = cli("assign", "new.png", "--clusters", "my pictures-clusters/clusters.csv")
    assert done.exit_code == 0, done.output
    own = next(row for row in rows if row["file"] == "red/000.png")
    name, cluster, near = done.output.split()
    assert (name, cluster) == ("new.png", own["cluster"])
    assert float(near) == pytest.approx(float(own["closeness"]), abs=0.002)


def test_where_it_cannot_write(folder, tmp_path):
    """Results inside the folder would be pictures of the next run; no such folder."""
    pictures, run = folder
    told = run(code=1)
    assert "There is no such folder" in told
    fill(pictures, lambda n: f"{n:03d}.jpg")
    told = run("--out", str(pictures / "out"), code=1)
    assert "would be taken for pictures" in told
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/clusters.csv").write_text("mine")
    told = run("--out", "mine", code=1)
    assert "this command did not write" in told
    told = run("--out", "mine/clusters.csv/out", code=1)
    assert "Results cannot be written there" in told
    assert (tmp_path / "mine/clusters.csv").read_text() == "mine"
    assert "Did you mean 'kmeans'" in run("--method", "kmean", code=1)
    told = run("--set", "n_ini=3", code=1)
    assert "params.yaml" not in told
    told = run("--method", "tac", code=1)
    assert "tac reads words near the pictures" in told
    assert "lie in no class folder" in run("--labels", "folders", code=1)
    assert "say folders or none" in run("--labels", "classes", code=1)
    assert "no such checkpoint" in run(encoder="clip=./absent", code=1)
    told = run("--captions", "absent.csv", code=1)
    assert "absent.csv is missing" in told
    assert "dvc repro" not in told


def test_a_read_only_place_is_refused_before_pictures_are_read(folder, monkeypatch):
    """Also where a run lies already, as on a disk that was mounted again."""
    pictures, run = folder
    fill(pictures, lambda n: f"{n:03d}.jpg")
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda p, mode: mode != os.W_OK and access(p, mode)
    )
    told = run(code=1)
    assert "Results cannot be written there" in told
    assert "it is read-only" in told
    assert "pictures," not in told


def test_real_weights_stand_before_gradients(monkeypatch):
    """What is taken by default where only some weights are here; else it is said."""
    from mmclust.cli import _folder

    for here, name in (
        ({"resnet50", "efficientnet_lite0"}, "efficientnet_lite0"),
        ({"resnet50"}, "resnet50"),
        ({"clip", "efficientnet_lite0"}, "clip"),
        (set(), "hog"),
    ):
        monkeypatch.setattr(_folder, "_is_here", here.__contains__)
        assert _folder.image_coder(None).name == name
    assert "NO pretrained weights" in _folder.image_coder(None).about
    assert "pip install" in _folder.better(_folder.image_coder(None))[0]
    large = _folder.image_coder("clip=openai/clip-vit-large-patch14")
    assert large.block["model"] == "openai/clip-vit-large-patch14"
    with pytest.raises(MmclustError, match="has no model to choose"):
        _folder.image_coder("hog=7")

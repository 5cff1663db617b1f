"""`mmclust fit HEAD` and `assign` on embeddings of one's own."""

import csv
import json

import numpy as np
import pytest


@pytest.fixture
def own(tmp_path):
    """120 images of three kinds, 40 words, float16 on disk."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3, 16))
    images = centres[np.arange(120) % 3] + 0.3 * rng.standard_normal((120, 16))
    words = centres[np.arange(40) % 3] + 0.5 * rng.standard_normal((40, 16))
    np.save(tmp_path / "x.npy", images.astype(np.float16))
    np.save(tmp_path / "t.npy", words.astype(np.float16))
    np.save(tmp_path / "z.npy", images[:30].astype(np.float32))
    np.save(tmp_path / "names.npy", centres.astype(np.float32))
    (tmp_path / "words.txt").write_text("".join(f"w{i}\n" for i in range(40)))
    (tmp_path / "names.txt").write_text("one\ntwo\nthree\n")
    (tmp_path / "ids.txt").write_text("".join(f"id{i}\n" for i in range(30)))
    return tmp_path


def read(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_from_embeddings_to_clusters(own, run_mmclust):
    """Nouns, counterparts, a trained head, new images; no params.yaml, no DVC."""
    nouns = ("--nouns-features", "t.npy", "--words", "words.txt", "--nouns", "nouns")
    head = ("fit", "tac", "--features", "x.npy", "--k", 3, *nouns)
    done = run_mmclust(
        *head, "--set", "epochs=8", "--set", "batch=30", "--test-features", "z.npy",
        "--ids", "ids.txt", "--out", "c.csv", "--save", "trained", cwd=own,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "for 9 centres of 120 images, out of 40 (40 distinct)" in done.stdout
    assert (own / "nouns/counterparts.npy").is_file()
    rows = read(own / "c.csv")
    assert list(rows[0])[:2] == ["image_id", "cluster"]
    assert [row["image_id"] for row in rows] == [f"id{i}" for i in range(30)]
    assert all(1 / 3 <= float(row["confidence"]) <= 1 for row in rows)
    done = run_mmclust(
        "assign", "--head", "trained", "--image-features", "z.npy", "--out", "a.csv",
        cwd=own,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [r["cluster"] for r in read(own / "a.csv")] == [r["cluster"] for r in rows]
    done = run_mmclust("assign", "x.jpg", "--head", "trained", cwd=own)
    assert done.returncode == 1
    assert "trained on embeddings of your own" in done.stderr
    done = run_mmclust(*head, "--out", "d.csv", cwd=own)
    assert done.returncode == 1
    assert "A batch of 512 cannot be drawn from 120 images" in done.stderr
    assert not (own / "d.csv").exists()


def test_training_free_and_with_names(own, run_mmclust):
    """concat_kmeans finds the kinds; zero_shot says that it uses names."""
    done = run_mmclust(
        "fit", "concat_kmeans", "--image-features", "x.npy", "--text-features",
        "x.npy", "--k", 3, "--out", "c.csv", cwd=own,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    labels = [row["cluster"] for row in read(own / "c.csv")]
    assert len({(label, i % 3) for i, label in enumerate(labels)}) == 3
    done = run_mmclust(
        "fit", "zero_shot", "--image-features", "x.npy", "--text-features",
        "names.npy", "--names", "names.txt", "--out", "z.csv", cwd=own,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "uses the classes' names" in done.stdout
    rows = read(own / "z.csv")
    assert [row["name"] for row in rows[:3]] == ["one", "two", "three"]


def test_what_does_not_fit(own, run_mmclust):
    """Lengths, spaces, names, and options of the other use."""
    head = ("fit", "tac", "--image-features", "x.npy", "--k", 3, "--out", "c.csv")
    np.save(own / "w.npy", np.ones((120, 5), np.float32))
    for text, message in (("z.npy", "wrong number of rows"), ("w.npy", "same space")):
        done = run_mmclust(*head, "--text-features", text, cwd=own)
        assert done.returncode == 1
        assert message in done.stderr
    done = run_mmclust("fit", "tca", *head[2:], "--text-features", "x.npy", cwd=own)
    assert done.returncode == 1
    assert "Did you mean 'tac'?" in done.stderr
    done = run_mmclust(*head, cwd=own)
    assert done.returncode == 1
    assert "tac needs --text-features" in done.stderr
    done = run_mmclust(
        *head, "--image-features", "z.npy", "--text-features", "x.npy", cwd=own
    )
    assert "tac reads one array of --features" in done.stderr
    unread = ("--set", "nouns.per_cluster=3")
    for each in (("--nouns-features", "x.npy", "--words", "names.txt"), unread):
        done = run_mmclust("fit", "scan", *head[2:], *each, cwd=own)
        assert done.returncode != 0
        assert "scan reads no nouns" in " ".join(done.stderr.split())
    done = run_mmclust(*head, "--text-features", "x.npy", *unread, cwd=own)
    assert "is given its text counterparts" in " ".join(done.stderr.split())
    done = run_mmclust("nouns", "--image-features", "x.npy", cwd=own)
    assert done.returncode == 1
    assert "mmclust fit METHOD --features" in done.stderr


def test_options_of_the_papers_by_hand(own, run_mmclust):
    """What UCF-101 and ImageNet have other; what has no effect is refused."""
    head = ("fit", "dxmc", "--image-features", "x.npy", "--text-features", "x.npy",
            "--k", 3, "--out", "c.csv", "--set", "epochs=1", "--set",
            "batch=30")  # fmt: skip
    done = run_mmclust(
        *head, "--save", "saved", "--set", "temperature=5",
        "--set", "instance_temperature=0.5", cwd=own,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    params = json.loads((own / "saved/head.json").read_text())["params"]
    assert (params["temperature"], params["instance_temperature"]) == (5, 0.5)
    for option, message in (
        ("temprature=5", "Did you mean 'temperature'?"),
        ("evaluate_on=fit", "evaluate_on has no effect here"),
        ("temperature", "expected: key=value"),
    ):
        done = run_mmclust(*head, "--set", option, cwd=own)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    nouns = ("fit", "counterpart_kmeans", "--features", "x.npy", "--nouns-features",
             "t.npy", "--words", "words.txt", "--nouns", "n", "--out", "n.csv",
             "--k", 3, "--set", "nouns.centres=6")  # fmt: skip
    done = run_mmclust(
        *nouns, "--set", "nouns.top=2", "--set", "nouns.faiss_seed=1234", cwd=own
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads((own / "n/nouns.json").read_text())
    assert facts["nouns"] <= 12
    assert facts["params"]["faiss_seed"] == 1234
    done = run_mmclust(*nouns, "--set", "nouns.underscores=blank", cwd=own)
    assert done.returncode == 1
    assert "the nouns are embedded already" in done.stderr


def test_what_cannot_be_drawn_or_centred_is_refused_before_training(own, run_mmclust):
    """A figure of an unknown kind, of a head without panels; more centres than rows."""
    words = ("--nouns-features", "t.npy", "--words", "words.txt")
    common = ("--features", "x.npy", "--k", 3, "--out", "c.csv")
    for given, said in (
        (("tac", *words, "--save", "s", "--panels", "p.eps"), "ends in .png or .svg"),
        (("turtle", "--save", "s", "--panels", "p.png"), "draw another head"),
        (("gradnorm", *words, "--set", "nouns.centres=121"), "lower nouns.centres"),
        (
            ("gradnorm", *words, "--set", "nouns.centres=published"),
            "no number of centres for files of your own",
        ),
    ):
        done = run_mmclust("fit", *given, *common, cwd=own)
        assert done.returncode == 1, done.stdout
        assert said in " ".join(done.stderr.split()), done.stderr
        assert "Traceback" not in done.stderr
        assert not any((own / name).exists() for name in ("s", "c.csv"))

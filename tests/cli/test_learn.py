"""`mmclust learn`, as a user runs it."""

import pytest
import yaml


@pytest.fixture
def root(tiny):
    blocks = {
        "words": {
            "random": {"clusters": 4},
            "joint_model": {"select": "include_unknown_fscore"},
        },
        "learning": {"benchmark": "tiny", "n_seeds": 2},
    }
    (tiny / "params.yaml").write_text(yaml.safe_dump(blocks))
    return tiny


def test_a_model_learns_and_says_what_it_wrote(root, run_mmclust):
    """Words, clusters, seeds and files; a curve without epochs is a header."""
    done = run_mmclust("learn", "random", cwd=root)
    assert done.returncode == 0, done.stderr
    assert "words in 4 to 4 clusters over 2 seeds" in done.stdout
    assert (root / "data/words/random/words.parquet").is_file()
    assert (root / "plots/words/random.csv").read_text() == "epoch,seed,loss\n"
    assert not (root / "data/words/random.work").exists()


def test_unknown_models_are_refused_with_the_nearest(root, run_mmclust):
    """One clear error."""
    done = run_mmclust("learn", "joint_modell", cwd=root)
    assert done.returncode == 1
    assert "Did you mean 'joint_model'" in done.stderr


def test_selection_by_norms_reads_them_and_says_so(root, run_mmclust):
    """The published choice of an epoch; the norms must be there."""
    done = run_mmclust("learn", "joint_model", cwd=root)
    assert done.returncode == 1
    assert "epochs are selected by norms" in done.stderr
    assert "mcrae_typicality.yaml is missing" in done.stderr


def test_a_benchmark_that_is_not_built_is_named(root, run_mmclust):
    """With what makes it."""
    text = (root / "params.yaml").read_text().replace("tiny", "absent")
    (root / "params.yaml").write_text(text)
    done = run_mmclust("learn", "random", cwd=root)
    assert done.returncode == 1
    assert "manifest.parquet is missing" in done.stderr

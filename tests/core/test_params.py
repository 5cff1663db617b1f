"""params.yaml: read strictly, with errors that name the key and its neighbour."""

from dataclasses import FrozenInstanceError

import pytest
from dvc.utils.hydra import apply_overrides

from mmclust.core.errors import MmclustError
from mmclust.core.params import read_params
from mmclust.core.plugins import known, load
from mmclust.core.text import require_name
from mmclust.scoring.record import is_floor
from tests.conftest import ROOT


def read(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return read_params(path)


def message(tmp_path, text):
    with pytest.raises(MmclustError) as caught:
        read(tmp_path, text)
    return str(caught.value)


def test_the_default_file_reads_and_every_block_is_a_plugin():
    """params.yaml is valid, and each name in it is a plugin that takes its block."""
    params = read_params(ROOT / "params.yaml")
    pairs = [("benchmarks", n) for n in params.benchmarks]
    pairs += [("encoders", n) for n in params.encoders]
    pairs += [("clusterers", n) for n in params.model.clusterers]
    assert len(pairs) >= 10
    for kind, name in pairs:
        assert params.instance(kind, name).options is not None
    assert params.model.encoder in params.encoders
    with pytest.raises(FrozenInstanceError):
        params.seed = 1


def test_unknown_keys_name_the_nearest(tmp_path):
    """A misspelt key is refused at any depth, with the nearest valid one."""
    text = message(tmp_path, "model: {n_seed: 3}")
    assert "Unknown key 'model.n_seed'" in text
    assert "Did you mean 'n_seeds'?" in text
    text = message(tmp_path, "encoders: {hog: {cel: 3}}")
    assert "encoders.hog.cel" in text
    assert "Did you mean 'cell'?" in text
    assert "Did you mean 'encoders'?" in message(tmp_path, "encoder: {}")


@pytest.mark.parametrize(
    ("text", "key", "found"),
    [
        ("seed: abc", "seed", "'abc'"),
        ("seed: 1.5", "seed", "1.5"),
        ("seed: true", "seed", "True"),
        ("model: {k: '43'}", "model.k", "'43'"),
        ("model: {clusterers: kmeans}", "model.clusterers", "'kmeans'"),
        ("model: 3", "model", "3"),
        ("benchmarks: [coco_all]", "benchmarks", "['coco_all']"),
        ("[1, 2]", "the whole file", "[1, 2]"),
        ("model: {k: 0}", "model.k", "0"),
        ("model: {n_seeds: 0}", "model.n_seeds", "0"),
        ("model: {k_sweep: [3, 0]}", "model.k_sweep[1]", "0"),
        ("model: {k_grid: [[2]]}", "model.k_grid[0]", "[2]"),
        ("nouns: {templates: ['{}', null]}", "nouns.templates[1]", "None"),
        ("nouns: {templates: ['{}', none]}", "nouns.templates[1]", "'none'"),
        ("nouns: {templates: []}", "nouns.templates", "[]"),
        ("clusterers: {mine: {is: kmeans, init: kmeans++}}", "clusterers.mine.init",
         "'kmeans++'"),
        ("encoders: {aligned: {decay: -1}}", "encoders.aligned.decay", "-1"),
        ("benchmarks: {flickr30k: {captions_per_image: 0}}",
         "benchmarks.flickr30k.captions_per_image", "0"),
        ("encoders: {clip: {mean: [0, x, 0]}}", "encoders.clip.mean[1]", "'x'"),
        ("encoders: {hog: 3}", "encoders.hog", "3"),
        ("encoders: {1: {is: hog}}", "encoders", "1"),
        ("encoders: {fuse: {members: {hog: 3}}}", "encoders.fuse.members.hog", "3"),
        ("words: {joint_model: {learning_rate: .inf}}",
         "words.joint_model.learning_rate", "inf"),
        ("encoders: {clip: {std: [1, .nan, 1]}}", "encoders.clip.std[1]", "nan"),
        ("seed: -1", "seed", "-1"),
        ("report: {thumbnails: -1}", "report.thumbnails", "-1"),
        ("score: {n_resamples: 5}", "score.n_resamples", "5"),
        ("encoders: {hog: {bins: x}}", "encoders.hog.bins", "'x'"),
        ("encoders: {hog: {cell: 0}}", "encoders.hog.cell", "0"),
        ("encoders: {miniclip: {width: 12}}", "encoders.miniclip.width", "12"),
        ("encoders: {random: {dim: -4}}", "encoders.random.dim", "-4"),
    ],
)  # fmt: skip
def test_wrong_values_name_the_key(tmp_path, text, key, found):
    """A value of the wrong type or without meaning is refused; plugins' options too."""
    shown = message(tmp_path, text)
    assert "has the wrong type or is out of range" in shown
    assert f"where:    {key}" in shown
    assert f"found:    {found}" in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: {select: x}", "generalisation or null"),
        ("encode: {corrupt: 1}", "fail or skip"),
        ("nouns: {centres: x}", "a whole number or rule or published"),
        ("nouns: {centres: 0}", "`int` >= 1"),
        ("nouns: {deduplicate_nouns: 1}", "true or false"),
        ("encode: {corrupt: .nan}", "fail or skip"),
        ("model: {k: .inf}", "a number from 1, null (as many as classes) or auto"),
        ("data: {images: 5}", "`str | list`"),
        ("budget: {hours: .inf}", "a finite number"),
    ],
)
def test_what_a_key_takes_is_said_in_words(tmp_path, text, expected):
    """Also of one that may be left out, or may be a number, too."""
    assert f"expected: {expected}\n" in message(tmp_path, text)


def test_the_main_encoder_must_run(tmp_path):
    """model.encoder names one of the encoders; at least one clusterer is named."""
    shown = message(tmp_path, "encoders: {hog: {}}\nmodel: {encoder: hgo}")
    assert "model.encoder is not among the encoders" in shown
    assert "Did you mean 'hog'?" in shown
    assert "No clusterer" in message(tmp_path, "model: {clusterers: []}")


SAME = """heads: {mine: {is: temi}}
clusterers: {mine: {is: kmeans}}
model: {heads: [mine], clusterers: [mine]}"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("encoders: {mine: {is: hog, cell: 3}}", "HOG cells must tile"),
        (SAME, "have the same name"),
        ("captioners: {publisher: {is: blip}}", "name of the publisher's captions"),
        ("encoders: {mine: {is: canny, grid: 3}}", "must tile the image"),
        ("encoders: {mine: {is: lbp, grid: 3}}", "must tile the image"),
        ("clusterers: {mine: {is: agglomerative, metric: cosine}}", "Ward's linkage"),
        (
            "words: {mine: {is: joint_model, backbone: resnet5}}",
            "Did you mean 'resnet50'",
        ),
    ],
)
def test_options_that_do_not_go_together(tmp_path, text, told):
    """Nothing runs before they are refused, under the name that they stand under."""
    shown = message(tmp_path, text)
    assert told in shown
    assert text.partition(":")[0] in shown
    assert "mine" in shown or "publisher" in shown


@pytest.mark.parametrize(
    ("text", "key", "twice"),
    [
        ("model: {clusterers: [kmeans, random, kmeans]}", "model.clusterers", "kmeans"),
        ("model: {heads: [tac, tac]}", "model.heads", "tac"),
        ("model: {k_sweep: [5, 3, 5]}", "model.k_sweep", "5"),
        ("data: {sources: [norms, norms]}", "data.sources", "norms"),
    ],
)
def test_what_runs_is_listed_once(tmp_path, text, key, twice):
    """Its seeds would count twice: another number of them, another interval."""
    assert f"{key} has {twice} twice" in message(tmp_path, text)


@pytest.mark.parametrize(
    ("names", "joined"),
    [
        ("{is: folder}, a-b: {is: folder}}\nencoders: {b-c: {is: hog}, c: {is: hog}",
         "a-b-c"),
        ("{is: folder}, a_b: {is: folder}}\nencoders: {b_c: {is: hog}, c: {is: hog}",
         "a_b_c"),
    ],
)  # fmt: skip
def test_names_that_make_one_word_of_two_pairs(tmp_path, names, joined):
    """DVC runs one of two stages of the same name, and says nothing."""
    text = f"benchmarks: {{a: {names}}}\nmodel: {{encoder: c"
    shown = message(tmp_path, text + "}")
    assert f"Two runs have the name {joined}" in shown
    assert f"a with {joined[2:]} and {joined[:3]} with c" in shown
    assert read(tmp_path, text + ", benchmarks: [a]}").clustered == ("a",)


def test_a_floor_is_one_under_any_name(tmp_path):
    """The plugin tells, not the name."""
    blocks = "{chance: {is: random}, hog: {}}\nmodel: {encoder: hog}\n"
    params = read(tmp_path, f"encoders: {blocks}clusterers: {{mine: {{is: random}}}}")
    floors = {("random", "x"), ("chance", "x"), ("hog", "mine"), ("hog", "random")}
    keys = {*floors, ("hog", "kmeans"), ("mine", "chance")}
    assert {k for k in keys if is_floor(params, (k[0], "image", k[1]))} == floors


def test_missing_and_broken_files(tmp_path):
    """No file, no YAML, and a key given twice are clear errors."""
    with pytest.raises(MmclustError, match=r"params\.yaml is missing"):
        read_params(tmp_path / "params.yaml")
    assert "not valid YAML" in message(tmp_path, "a: [1")
    assert "'seed' twice" in message(tmp_path, "seed: 1\nmodel: {}\nseed: 2")


def test_numbers_are_those_of_dvc(tmp_path):
    """`dvc exp run -S …=0.00001` writes 1e-05, which YAML 1.1 takes for text."""
    path = tmp_path / "params.yaml"
    path.write_text(
        "benchmarks: {coco_words: {}}\nwords: {joint_model: {learning_rate: 0.001}}"
    )
    apply_overrides(path, ["words.joint_model.learning_rate=0.00001"])
    text = path.read_text()
    assert "1e-05" in text
    model = read(tmp_path, text).instance("words", "joint_model")
    assert model.options.learning_rate == 1e-5
    assert read(tmp_path, "seed: 010").seed == 10


HOSTILE = "x; touch PWNED #"


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"{block}: {{%s: {{}}}}"
            for block in ("benchmarks", "captioners", "encoders", "words", "heads",
                          "clusterers")
        ),
        *(
            f"{block}: {{{key}: [%s]}}"
            for block, key in (
                ("data", "sources"), ("data", "images"), ("model", "benchmarks"),
                ("model", "clusterers"), ("model", "heads"),
                ("retrieval", "benchmarks"), ("retrieval", "encoders"),
                ("learning", "word_lists"), ("grounding", "benchmarks"),
            )
        ),
        "model: {encoder: %s}", "retrieval: {fitted_on: %s}", "data: {images: %s}",
        "learning: {benchmark: %s}", "grounding: {model: %s}",
        "score: {baseline: {encoder: %s}}", "score: {baseline: {view: %s}}",
        "score: {baseline: {clusterer: %s}}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", [HOSTILE, "../..", "$(touch PWNED)", ""])
def test_every_name_is_held_to_what_shells_and_paths_take(tmp_path, text, name):
    """Names become words of dvc.yaml's commands, and folders."""
    shown = message(tmp_path, text % f"'{name}'")
    assert "cannot be used" in shown
    assert repr(name) in shown


@pytest.mark.parametrize("kind", ["benchmarks", "encoders", "clusterers"])
def test_unknown_plugins_get_the_list(kind):
    """An unknown name gets the list of names and, if close, the nearest."""
    listed = known(kind)
    assert len(listed) >= 2
    with pytest.raises(MmclustError) as caught:
        load(kind, listed[0] + "x")
    for name in listed:
        assert name in str(caught.value)
    assert f"Did you mean {listed[0]!r}?" in str(caught.value)


def test_an_encoders_options_for_one_benchmark(tmp_path):
    """per_benchmark goes before the rest, there alone, and is no option itself."""
    head = "benchmarks: {imagenet10: {}, stl10: {}}\nmodel: {encoder: clip}\n"
    text = head + "encoders: {clip: {rounding: even, per_benchmark: %s}}"
    params = read(tmp_path, text % "{imagenet10: {short_side: 256}}")
    sides = {
        name: params.instance("encoders", "clip", name).options.short_side
        for name in ("imagenet10", "stl10")
    }
    assert sides == {"imagenet10": 256, "stl10": 224}
    assert params.encoder_options("clip", "imagenet10") == {
        "rounding": "even",
        "short_side": 256,
    }
    assert params.instance("encoders", "clip", "imagenet10").options.rounding == "even"
    for wrong, told in (
        ("{imagenet1: {}}", "Did you mean 'imagenet10'?"),
        ("[imagenet10]", "encoders.clip.per_benchmark"),
        ("{imagenet10: {short_sid: 256}}", "Did you mean 'short_side'?"),
    ):
        assert told in message(tmp_path, text % wrong)


@pytest.mark.parametrize("name", ["coco_cross", "k-means", "v1.5", "2014", "a..b", "A"])
def test_plain_names_are_returned(name: str) -> None:
    assert require_name(name, "a benchmark", "benchmarks") == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "../..", "a/b", "a\\b", "-rf", "_helper", "a.", "a b", "a;b",
        "a&b", "a|b", "$(a)", "`a`", "a'b", 'a"b', "a\n", "a\nb", "a\0b", "~", "*",
        "é", "٣", "a" * 101, None, 5, True, ["a"],
    ],
)  # fmt: skip
def test_what_a_shell_or_a_path_could_take_otherwise_is_refused(name: object) -> None:
    with pytest.raises(MmclustError) as caught:
        require_name(name, "a benchmark", "benchmarks in params.yaml")
    message = str(caught.value)
    assert "The name of a benchmark cannot be used" in message
    assert "benchmarks in params.yaml" in message
    assert repr(name)[:50] in message
    assert "\0" not in message

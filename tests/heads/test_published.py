"""docs/heads.md says of every default whether it is the papers' code's."""

import dataclasses

import pytest
import yaml

from mmclust.cli.preset import completed
from mmclust.core.params import NounsParams
from mmclust.core.plugins import instance_of
from tests.conftest import ROOT

KMEANS = {
    "n_init": 20, "max_iter": 300, "max_points_per_centroid": 256, "faiss_seed": 1234,
    "evaluate_on": "evaluate",
}  # fmt: skip
TAC = {
    "epochs": 20, "batch": 512, "learning_rate": 0.001, "temperature": 0.5,
    "balance": 5.0, "n_neighbors": 50, "hidden": 512, "evaluate_on": "evaluate",
}  # fmt: skip
PUBLISHED = {
    "nouns": {
        "templates": (
            "itap of a {}.", "a bad photo of the {}.", "a origami {}.",
            "a photo of the large {}.", "a {} in a video game.", "art of the {}.",
            "a photo of the small {}.",
        ),
        "vocabulary": "data/vocabulary/WordNetNouns.csv",
        "prompt_normalisation": False, "underscores": "keep",
        "deduplicate_nouns": False, "centres": "published", "n_init": 10,
        "max_iter": 300, "max_points_per_centroid": 256, "faiss_seed": 1234, "top": 5,
        "noun_temperature": 1.0, "noun_softmax_dtype": "float16",
        "counterpart_temperature": 0.005, "counterpart_dtype": "float16",
    },
    "heads.image_kmeans": KMEANS | {"view": "image"},
    "heads.concat_kmeans": KMEANS | {"view": "concat"},
    "heads.counterpart_kmeans": KMEANS | {"view": "counterpart"},
    "heads.tac": TAC,
    "heads.dxmc": {
        **TAC, "instance_temperature": 0.05, "instance_hidden": 512,
        "instance_dim": 1024, "normalise_instances": False,
    },
}  # fmt: skip
"""What the released code of TAC and DXMC has."""


def defaults(block):
    if block == "nouns":
        return dataclasses.asdict(NounsParams())
    return dataclasses.asdict(instance_of("heads", block[6:], None, block).options)


def differing():
    """Return the first table of the docs: param to default here and published."""
    text = (ROOT / "docs/heads.md").read_text()
    table = text.split("| param | default here | published | why |")[1].split("\n\n")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    return {
        name.strip(" `"): (here, published)
        for names, here, published, _ in rows
        for name in names.split(",")
    }


def yaml_of(value):
    return {None: "null", True: "true", False: "false"}.get(value, str(value))


@pytest.mark.parametrize("block", PUBLISHED)
def test_every_default_that_differs_is_in_the_table(block):
    """With both values; and no other."""
    table, published = differing(), PUBLISHED[block]
    assert defaults(block).keys() == published.keys()
    for name, value in defaults(block).items():
        key = f"{block}.{name}"
        assert (key in table) == (value != published[name]), key
        if key in table:
            here, there = table[key]
            assert f"`{yaml_of(value)}`" in here
            assert f"`{yaml_of(published[name])}`" in there


def test_the_preset_has_the_published_values():
    """presets/dxmc-table1.yaml, of nouns and of what is trained."""
    preset = yaml.safe_load(completed(ROOT / "presets/dxmc-table1.yaml"))
    for block in ("nouns", "heads.tac", "heads.dxmc"):
        given = preset
        for key in block.split("."):
            given = given.get(key, {})
        values = defaults(block) | given
        for name in PUBLISHED[block].keys() - {"templates"}:
            assert values[name] == PUBLISHED[block][name], f"{block}.{name}"

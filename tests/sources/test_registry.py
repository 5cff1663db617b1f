"""The registry: both forms are read, and nothing malformed gets in."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmclust.core.errors import MmclustError
from mmclust.core.registry import DIGEST_LENGTHS, read_registry

ROOT = Path(__file__).parents[2]
FILE = {"url": "http://example.org/a.zip", "size": 3, "md5": "0" * 32}


def write(folder, entry):
    path = folder / "sources.yaml"
    # JSON is YAML, and leaves no doubt of what is text.
    path.write_text(entry if isinstance(entry, str) else json.dumps(entry))
    return path


def refusal(folder, entry):
    path = write(folder, entry)
    with pytest.raises(MmclustError) as caught:
        read_registry(path)
    message = str(caught.value)
    assert message.startswith("The registry of sources is malformed\n  where:")
    assert str(path) in message
    assert "correct sources.yaml" in message
    return message


def test_the_registry_in_git_holds_the_published_facts():
    """COCO 2017: three archives with the sizes and digests their publisher serves."""
    source = read_registry(ROOT / "data/sources.yaml")["coco2017"]
    assert {name: (f.size, f.md5) for name, f in source.files.items()} == {
        "annotations_trainval2017.zip": (252907541, "f4bbac642086de4f52a3fdda2de5fa2c"),
        "train2017.zip": (19336861798, "cced6f7f71b7629ddf16f17bbcfab6b2"),
        "val2017.zip": (815585330, "442b8da7639aecaf257c1dceb8ba8c80"),
    }
    assert {next(iter(f.digests)) for f in source.files.values()} == {"sha256"}
    for file in source.files.values():
        assert [url.partition("images.cocodataset.org/")[0] for url in file.urls] == [
            "https://s3.amazonaws.com/", "http://",
        ]  # fmt: skip
    assert "CC BY 4.0" in source.licence


def test_http_comes_after_https_and_alone_for_nothing():
    """A list of the files that can come over http, and why that is no harm."""
    plain = {}
    for source in read_registry(ROOT / "data/sources.yaml").values():
        for file in source.files.values():
            schemes = [url.partition(":")[0] for url in file.urls]
            assert schemes[:1] in ([], ["https"]), file
            assert not (file.member_url or "https:").startswith("http:"), file
            if "http" in schemes and not file.digests:
                plain[source.name] = file.name
    assert plain == {"norms": "Concreteness_ratings_Brysbaert_et_al_BRM.txt"}


def test_the_sample_form_is_read(tmp_path):
    """One `url` relative to the registry's folder becomes an absolute file url."""
    text = """
coco2017:
  protocol: {coco_all.min_images: 20}
  files:
    train2017.zip: {size: 123, sha256: %s, url: coco2017/train 2017.zip}
""" % ("ab" * 32)
    source = read_registry(write(tmp_path, text))["coco2017"]
    assert source.name == "coco2017"
    assert source.protocol == {"coco_all.min_images": 20}
    file = source.files["train2017.zip"]
    assert file.name == "train2017.zip"
    assert file.urls == ((tmp_path / "coco2017/train 2017.zip").resolve().as_uri(),)
    assert "train%202017.zip" in file.urls[0]
    assert (file.size, file.digests) == (123, {"sha256": "ab" * 32})


MALFORMED = {
    "unknown key of a file": (
        {**FILE, "shasum": "x"},
        ["toy.files.a.zip.shasum", "Did you mean 'sha", "the key 'shasum'"],
    ),
    "name is no key": ({**FILE, "name": "b"}, ["toy.files.a.zip.name"]),
    "digest too short": (
        {**FILE, "sha256": "0" * 63},
        ["toy.files.a.zip.sha256", "64 hexadecimal digits", "(63 characters)"],
    ),
    "digest not hexadecimal": ({**FILE, "md5": "g" * 32}, ["a.zip.md5", "32 hexa"]),
    "digest a number": ({**FILE, "sha1": 7}, ["a.zip.sha1", "`str", "`int`"]),
    "size zero": ({**FILE, "size": 0}, ["a.zip.size", "a positive integer", "found: "]),
    "size negative": ({**FILE, "size": -1}, ["a.zip.size", "a positive integer"]),
    "size text": ({**FILE, "size": "3 MB"}, ["a.zip.size", "`int", "`str`"]),
    "no url": ({"size": 3}, ["toy.files.a.zip", "`url`, `urls` with", "or `manual`"]),
    "no url in the list": ({"urls": []}, ["toy.files.a.zip", "with at least one"]),
    "both": ({**FILE, "urls": ["x"]}, ["toy.files.a.zip.url", "Did you mean 'urls'"]),
    "unknown scheme": ({"url": "ftp://x/a"}, ["a.zip.urls", "'ftp://x/a'"]),
    "no host": ({"url": "http:///a.zip"}, ["a.zip.urls", "'http:///a.zip'"]),
    "half a bracket": ({"url": "http://[x/a"}, ["a.zip.urls", "'http://[x/a'"]),
    "no such port": ({"url": "http://x:99999/a"}, ["a.zip.urls", ":99999"]),
    "no address of members": (
        {"member_url": "x/{member}", "listed_in": "b"},
        ["a.zip.member_url", "an address with {member}", "'x/{member}'"],
    ),
    "not a mapping": (["x"], ["toy.files.a.zip", "a mapping", "['x']"]),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_is_named(case, tmp_path):
    """The message names registry, source, file and key."""
    entry, parts = MALFORMED[case]
    message = refusal(tmp_path, {"toy": {"files": {"a.zip": entry}}})
    for part in parts:
        assert part in message
    assert len(MALFORMED) == 17


NO_NAMES = [
    "../a.zip", "../../../../esc", "/etc/x", "a/b", "a\\b", "..", ".", ".hidden", "",
    "my data", "a\nb", "$(touch x)", "-rf", "é.zip", "a" * 101, "a.",
]  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES)
def test_names_cannot_leave_their_folder(name, tmp_path):
    """Of sources and of files: names become paths, and lines of sources.lock."""
    for what, entry in (
        ("file", {"toy": {"files": {name: FILE}}}),
        ("source", {"good": {"files": {"a.zip": FILE}}, name: {"files": {}}}),
    ):
        with pytest.raises(MmclustError) as caught:
            read_registry(write(tmp_path, entry))
        message = str(caught.value)
        assert message.startswith(f"The name of a {what} cannot be used\n  where:")
        assert str(tmp_path / "sources.yaml") in message


def test_names_that_the_project_uses_itself(tmp_path):
    """A source's work folder, and the note that comes with its files."""
    good = {"files": {"a.zip": FILE}}
    assert "end in .work" in refusal(tmp_path, {"toy": good, "toy.work": good})
    message = refusal(tmp_path, {"toy": {"files": {"source.json": FILE}}})
    assert "another name" in message


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in itertools.pairwise("abcdefghi")
)


@pytest.mark.parametrize(
    "text", [BOMB, "toy: &toy {files: *toy}\n", "toy: " + "[" * 5000 + "]" * 5000]
)
def test_yaml_that_explodes_or_recurses_is_refused(text, tmp_path):
    """Aliases of aliases, an alias of what it stands in, nesting without end."""
    path = write(tmp_path, text)
    with pytest.raises(
        MmclustError, match=r"sources\.yaml is not valid YAML"
    ) as caught:
        read_registry(path)
    assert len(str(caught.value)) < 1000


def test_a_malformed_source_is_named(tmp_path):
    """Unknown keys, no files, no mapping, no YAML."""
    good = {"files": {"a.zip": FILE}}
    message = refusal(tmp_path, {"toy": {**good, "license": "x"}})
    assert "toy.license" in message
    assert "Did you mean 'licence'?" in message
    assert "at least one file" in refusal(tmp_path, {"toy": {"files": {}}})
    assert "toy.files\n  expected: a mapping" in refusal(tmp_path, {"toy": {}})
    assert "expected: a mapping" in refusal(tmp_path, "")
    with pytest.raises(MmclustError, match=r"sources\.yaml is not valid YAML"):
        read_registry(write(tmp_path, "toy: ["))


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("toy: {}\nbee: {}\ntoy: {}\n", "toy", 3),
        ("toy:\n  files:\n    a: {url: x}\n    a: {url: y}\n", "a", 4),
    ],
)
def test_a_name_given_twice_is_refused(text, name, line, tmp_path):
    """YAML would keep the last one in silence."""
    with pytest.raises(MmclustError) as caught:
        read_registry(write(tmp_path, text))
    assert f"line {line}\n  expected: each key once" in str(caught.value)
    assert f"{name!r} twice" in str(caught.value)


@given(
    algorithm=st.sampled_from(sorted(DIGEST_LENGTHS)),
    digest=st.text("0123456789abcdef", max_size=130),
)
def test_only_digests_of_the_right_length_pass(tmp_path_factory, algorithm, digest):
    """Any hexadecimal text passes exactly when its length is the algorithm's."""
    folder = tmp_path_factory.mktemp("registry")
    entry = {"toy": {"files": {"a": {"url": "x", algorithm: digest}}}}
    if len(digest) == {"md5": 32, "sha1": 40, "sha256": 64}[algorithm]:
        assert read_registry(write(folder, entry))
    else:
        assert re.search(rf"\({len(digest)} characters\)", refusal(folder, entry))

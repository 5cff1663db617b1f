"""Terms that must be accepted, files got by hand, first-seen digests, secrets."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml

from mmclust.core.errors import MmclustError
from mmclust.core.registry import Source, SourceFile
from mmclust.sources.fetch import fetch_source
from mmclust.sources.terms import accept, accepted
from mmclust.sources.verify import read_lock, record
from tests.sources.toy import register

SECRET = "hf_a_secret_that_nobody_may_see"
TEXT = b"a word\n"


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with the sources `free`, `bound` (terms) and `manual`."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = tmp_path / "repository"
    (root / "data/site").mkdir(parents=True)
    (root / "data/site/a.txt").write_bytes(TEXT)
    files = {"a.txt": {"url": "site/a.txt"}}
    register(
        root,
        free={"files": files},
        bound={
            "files": files, "accept": True, "terms": "Be kind.", "licence": "Kind 1.0",
            "tokens": {"huggingface.co": "HF_TOKEN"},
        },
        manual={
            "files": {"a.txt": {}, "b.txt": {}}, "manual": "Ask the author for both.",
        },
    )  # fmt: skip
    return root


def fetch(root, name):
    return fetch_source(name, mirror="upstream", out=root / "out" / name, root=root)


def test_terms_come_first(repository, run_mmclust):
    """Refused, then shown and accepted, then fetched; the record is the user's."""
    command = ["fetch", "bound", "--mirror", "upstream"]
    refused = run_mmclust(*command, cwd=repository)
    assert refused.returncode == 1
    assert "The terms of bound have not been accepted" in refused.stderr
    assert "run `mmclust sources accept bound`, which shows them" in refused.stderr
    assert not (repository / "data/raw").exists()
    unsure = run_mmclust("sources", "accept", "bound", cwd=repository)
    assert unsure.returncode == 1  # nobody said yes
    assert "Be kind." in unsure.stdout
    done = run_mmclust("sources", "accept", "bound", "--yes", cwd=repository)
    assert done.returncode == 0
    assert "Kind 1.0" in done.stdout
    path = repository.parent / "config/mmclust/accepted.json"
    accepted = json.loads(path.read_text())
    assert accepted.keys() == {"bound"}
    assert accepted["bound"].keys() == {"date", "terms"}
    assert len(accepted["bound"]["terms"]) == 64
    assert run_mmclust(*command, cwd=repository).returncode == 0
    listed = run_mmclust("sources", "list", cwd=repository).stdout
    assert f"terms    accepted on {accepted['bound']['date']}" in listed
    assert (
        accepted["bound"]["terms"] not in (repository / "data/sources.lock").read_text()
    )


def test_other_terms_must_be_accepted_anew(repository, run_mmclust):
    """The digest of the terms is part of the acceptance."""
    run_mmclust("sources", "accept", "bound", "--yes", cwd=repository)
    fetch(repository, "bound")
    path = repository / "data/sources.yaml"
    path.write_text(path.read_text().replace("Be kind.", "Be kinder."))
    with pytest.raises(MmclustError, match="an acceptance of other terms"):
        fetch(repository, "bound")


def test_the_token_is_never_seen(repository, run_mmclust, monkeypatch):
    """Not in what is printed, not in any file, even where things go wrong."""
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("NO_PROXY", "*")
    registry = yaml.safe_load((repository / "data/sources.yaml").read_text())
    registry["bound"]["tokens"] = {"127.0.0.1": "HF_TOKEN"}
    files = {**registry["bound"]["files"], "b.txt": {"url": "https://127.0.0.1:9/b"}}
    registry["bound"]["files"] = files
    register(repository, **registry)
    said = [
        run_mmclust("sources", "accept", "bound", "--yes", cwd=repository),
        run_mmclust("sources", "show", "bound", cwd=repository),
        run_mmclust("fetch", "free", "--mirror", "upstream", cwd=repository),
        run_mmclust(
            "fetch", "bound", "--mirror", "upstream", "--attempts", "1", cwd=repository
        ),
    ]
    assert [done.returncode for done in said] == [0, 0, 0, 1]
    assert "cannot be reached" in said[-1].stderr
    assert "HF_TOKEN of the environment, for 127.0.0.1" in said[1].stdout
    assert all(SECRET not in done.stdout + done.stderr for done in said)
    written = [path for path in repository.parent.rglob("*") if path.is_file()]
    assert len(written) > 4
    assert all(SECRET.encode() not in path.read_bytes() for path in written)


def test_files_got_by_hand(repository):
    """Where to get them and where to put them; then verified, copied and locked."""
    with pytest.raises(MmclustError, match="manual must be got by hand") as caught:
        fetch(repository, "manual")
    assert f"where:    {repository / 'data/drop/manual'}" in str(caught.value)
    assert "expected: a.txt; b.txt\n  found:    nothing" in str(caught.value)
    assert "Ask the author for both. Put it into" in str(caught.value)
    drop = repository / "data/drop/manual"
    drop.mkdir(parents=True)
    (drop / "a.txt").write_bytes(TEXT)
    with pytest.raises(MmclustError, match=r"found:    a\.txt"):
        fetch(repository, "manual")
    (drop / "b.txt").write_bytes(b"more\n")
    facts = fetch(repository, "manual")
    assert {f["verified"] for f in facts["files"].values()} == {"first seen"}
    assert (drop / "a.txt").stat().st_nlink == 1
    assert fetch(repository, "manual") == facts
    (repository / "out/manual/a.txt").unlink()
    (drop / "a.txt").write_bytes(b"another word\n")
    with pytest.raises(MmclustError, match="as first seen"):
        fetch(repository, "manual")


def test_any_file_may_be_dropped(repository):
    """Where a link is dead or the network slow; it is verified all the same."""
    digest = hashlib.sha256(TEXT).hexdigest()
    dead = {"url": "http://127.0.0.1:9/a.txt", "sha256": digest}
    register(repository, dead={"files": {"a.txt": dead}})
    drop = repository / "data/drop/dead"
    drop.mkdir(parents=True)
    (drop / "a.txt").write_bytes(TEXT)
    assert fetch(repository, "dead")["files"]["a.txt"]["verified"] == "sha256"
    (repository / "out/dead/a.txt").unlink()
    (drop / "a.txt").write_bytes(b"a wurd\n")
    with pytest.raises(MmclustError, match=r"a\.txt is not the file that is regist"):
        fetch(repository, "dead")
    assert (drop / "a.txt").read_bytes() == b"a wurd\n"


def test_the_first_download_is_recorded_and_enforced(repository):
    """One line in data/sources.lock; another file is refused ever after."""
    facts = fetch(repository, "free")
    assert facts["files"]["a.txt"]["verified"] == "first seen"
    lock = repository / "data/sources.lock"
    line = f"free/a.txt 7 {hashlib.sha256(TEXT).hexdigest()}"
    assert lock.read_text().splitlines()[-1] == line
    before = lock.stat().st_mtime_ns
    assert fetch(repository, "free") == facts
    assert lock.stat().st_mtime_ns == before
    (repository / "out/free/a.txt").unlink()
    (repository / "data/site/a.txt").write_bytes(b"a wurd\n")
    with pytest.raises(MmclustError) as caught:
        fetch(repository, "free")
    assert "a.txt is not the file that is registered" in str(caught.value)
    assert "as first seen" in str(caught.value)
    assert "remove its line from data/sources.lock" in str(caught.value)


def test_a_file_without_a_digest_is_not_taken_from_another_mirror(repository):
    """What lies there from elsewhere is fetched anew: nothing says it is right."""
    out = repository / "out/free"
    out.mkdir(parents=True)
    (out / "a.txt").write_bytes(b"the sample's")
    (out / "source.json").write_text('{"mirror": "sample", "files": {}}')
    fetch(repository, "free")
    assert (out / "a.txt").read_bytes() == TEXT


def test_two_writers_of_the_lock_keep_both_entries(tmp_path):
    """Each waits for those before it; another file of a known name is refused."""
    path, digest = tmp_path / "lock", "0" * 64
    file = {"size": 1, "sha256": digest, "from": "archive"}

    def note(name):
        record(path, Source({"a": SourceFile()}, name=name), {"a": file})

    names = [f"source{i}" for i in range(24)]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(note, names))
    assert read_lock(path).keys() == {f"{name}/a" for name in names}
    source = Source({"a": SourceFile()}, name="source0")
    with pytest.raises(MmclustError, match="not the file that was first seen"):
        record(path, source, {"a": {**file, "size": 2}})


def test_two_acceptances_at_once_are_both_kept(tmp_path, monkeypatch):
    """None is lost between reading the record and writing it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    sources = [Source({}, name=f"source{i}", terms="any") for i in range(24)]
    with ThreadPoolExecutor(len(sources)) as pool:
        list(pool.map(accept, sources))
    assert all(accepted(source) for source in sources)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("a/b.txt 7", "source/file size sha256"),
        ("a/b.txt seven " + "0" * 64, "source/file size sha256"),
        ("a/b.txt 7 " + "0" * 63, "(63 characters)"),
        ("a/b.txt 7 " + "g" * 64, "source/file size sha256"),
        (("a/b.txt 7 " + "0" * 64 + "\n") * 2, "'a/b.txt' twice"),
    ],
)
def test_a_malformed_lock_is_refused(line, part, tmp_path):
    """The line is named."""
    path = tmp_path / "sources.lock"
    path.write_text(f"# a comment\n\n{line}\n")
    with pytest.raises(MmclustError, match="lock of first-seen") as caught:
        read_lock(path)
    assert part in str(caught.value)
    assert f"{path}: line {4 if 'twice' in part else 3}" in str(caught.value)

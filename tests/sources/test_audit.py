"""`mmclust sources verify` and `fetch --repair`: what is damaged, what it touches."""

from __future__ import annotations

import hashlib
import os

import pytest

from mmclust.sources.audit import stages_touched

FILES = {"a.txt": b"one", "b.txt": b"two", "c.txt": b"three"}
DVC = """
stages:
  fetch:
    matrix: {source: [toy]}
    cmd: x
    outs: ["data/raw/${item.source}"]
  build:
    cmd: x
    deps: [data/raw]
    outs: ["data/benchmarks/${item.b}"]
    metrics: [{"data/benchmarks/${item.b}.json": {cache: false}}]
  score:
    cmd: x
    deps: ["data/benchmarks/${item.b}/manifest.parquet"]
    outs: [scores]
  other:
    cmd: x
    deps: [data/other]
    outs: [data/more]
"""


@pytest.fixture
def repository(tmp_path, run_mmclust):
    """A repository that has fetched a toy source of three files."""
    (tmp_path / "data/site").mkdir(parents=True)
    lines = ["toy:", "  files:"]
    for name, data in FILES.items():
        (tmp_path / "data/site" / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        lines.append(f"    {name}: {{url: site/{name}, sha256: {digest}}}")
    (tmp_path / "data/sources.yaml").write_text("\n".join(lines) + "\n")
    (tmp_path / "dvc.yaml").write_text(DVC)
    done = run_mmclust("fetch", "toy", "--mirror", "upstream", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_right_files_are_read_once(repository, run_mmclust):
    """The second time only what changed is read; --deep reads everything."""
    first = run_mmclust("sources", "verify", cwd=repository)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.count(": right (sha256") == 3
    again = run_mmclust("sources", "verify", cwd=repository).stdout
    assert again.count(": right, unchanged since it was read") == 3
    os.utime(repository / "data/raw/toy/b.txt", (1, 1))
    part = run_mmclust("sources", "verify", "toy", cwd=repository).stdout
    assert part.count("unchanged since it was read") == 2
    deep = run_mmclust("sources", "verify", "--deep", cwd=repository).stdout
    assert "unchanged" not in deep


def test_damage_is_told_with_the_stages_it_touches(repository, run_mmclust):
    """Exit code 1; each file; the stages that read it; the command that mends it."""
    raw = repository / "data/raw/toy"
    (raw / "a.txt").write_bytes(b"0ne")
    (raw / "b.txt").write_bytes(b"twoo")
    (raw / "c.txt").unlink()
    done = run_mmclust("sources", "verify", cwd=repository)
    assert done.returncode == 1
    assert "data/raw/toy/a.txt: damaged (sha256" in done.stdout
    assert "b.txt: damaged, unchanged since it was read (4 bytes instead" in done.stdout
    assert "data/raw/toy/c.txt: missing (no such file)" in done.stdout
    assert "3 of the raw files cannot be trusted" in done.stderr
    assert "stages that read them: fetch, build, score\n" not in done.stderr
    assert "stages that read them: build, score\n" in done.stderr
    assert "do:       `mmclust fetch toy --repair`" in done.stderr


def test_bytes_that_rot_in_silence_need_a_deep_look(repository, run_mmclust):
    """Same size and times: only --deep finds it."""
    path = repository / "data/raw/toy/a.txt"
    run_mmclust("sources", "verify", cwd=repository)
    cache = repository / ".mmclust/verified.json"
    text, before = cache.read_text(), path.stat()
    path.write_bytes(b"0ne")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    # What the file system itself changes unnoticed leaves the change time alone.
    text = text.replace(str(before.st_ctime_ns), str(path.stat().st_ctime_ns))
    cache.write_text(text)
    assert run_mmclust("sources", "verify", cwd=repository).returncode == 0
    assert run_mmclust("sources", "verify", "--deep", cwd=repository).returncode == 1


def test_repair_fetches_only_what_is_damaged(repository, run_mmclust):
    """From the mirror it came from; what is right keeps its inode."""
    raw = repository / "data/raw/toy"
    before = {name: (raw / name).stat().st_ino for name in FILES}
    (raw / "b.txt").unlink()
    (raw / "b.txt").write_bytes(b"tw0")
    (raw / "c.txt").unlink()
    done = run_mmclust("fetch", "toy", "--repair", cwd=repository)
    assert done.returncode == 0, done.stderr
    assert {name: (raw / name).read_bytes() for name in FILES} == FILES
    assert (raw / "a.txt").stat().st_ino == before["a.txt"]
    assert run_mmclust("sources", "verify", cwd=repository).returncode == 0


def test_repair_of_a_users_folder_needs_the_folder(repository, run_mmclust):
    """Its path is written nowhere, so it must be given again."""
    folder = repository / "data/site"
    run_mmclust("fetch", "toy", "--from", folder, cwd=repository)
    (repository / "data/raw/toy/a.txt").unlink()
    done = run_mmclust("fetch", "toy", "--repair", cwd=repository)
    assert done.returncode == 1
    assert "give the folder again with --from" in done.stderr
    done = run_mmclust("fetch", "toy", "--repair", "--from", folder, cwd=repository)
    assert done.returncode == 0


def test_a_source_that_was_not_fetched(repository, run_mmclust):
    """Without source.json there is nothing to compare with."""
    (repository / "data/raw/toy/source.json").unlink()
    done = run_mmclust("sources", "verify", cwd=repository)
    assert done.returncode == 1
    assert "toy is not complete" in done.stderr
    assert "run `mmclust fetch toy`" in done.stderr


def test_stages_are_found_through_others(tmp_path):
    """By outputs and inputs, up to their variables; none without dvc.yaml."""
    assert stages_touched(tmp_path, "data/raw/toy") == []
    (tmp_path / "dvc.yaml").write_text(DVC)
    assert stages_touched(tmp_path, "data/raw/toy") == ["build", "score"]
    assert stages_touched(tmp_path, "data/other/x") == ["other"]

"""The same bytes on a real Ray cluster of two nodes, one of which may die."""

import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from mmclust.core.errors import MmclustError
from tests.encode.staging import encode

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(monkeypatch):
    """Two nodes of one CPU each; the driver finds them by RAY_ADDRESS."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster, second
    ray.shutdown()
    cluster.shutdown()


def test_two_nodes_give_the_bytes_of_one_process(tiny, small_shards, cluster):
    """Both nodes work; features, fitted weights and features.json are the same."""
    names = ("hog", "color_histogram", "miniclip")
    local = encode(tiny, *names, out="local")
    assert encode(tiny, *names, out="ray", engine="ray", workers=2) == local
    assert len({n["NodeID"] for n in ray.nodes() if n["Alive"]}) == 2


def our_actors():
    """Return the processes of actors among this process's descendants."""
    parents, actors = {}, []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(folder.name)
            parents[pid] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
            if (folder / "cmdline").read_bytes().startswith(b"ray::_Actor"):
                actors.append(pid)

    def ours(pid):
        return pid == os.getpid() or (pid in parents and ours(parents[pid]))

    return [pid for pid in actors if ours(pid)]


@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_an_actor_that_is_killed_is_replaced(tiny, small_shards, cluster, monkeypatch):
    """SIGKILL to its process in the middle: its shard is done by another."""
    from mmclust.core import shards

    local = encode(tiny, "hog", out="local")
    write, killed = shards.Sharded.write, []

    def killing(self, span, rows, skipped):
        write(self, span, rows, skipped)
        if not killed:
            killed.append(our_actors()[0])
            os.kill(killed[0], signal.SIGKILL)

    monkeypatch.setattr(shards.Sharded, "write", killing)
    assert encode(tiny, "hog", engine="ray", workers=2) == local
    assert len(killed) == 1


def test_a_node_that_dies_is_survived(tiny, small_shards, cluster, monkeypatch):
    """The other node does the rest."""
    from mmclust.core import shards

    nodes, second = cluster
    local = encode(tiny, "hog", out="local")
    write, removed = shards.Sharded.write, []

    def removing(self, span, rows, skipped):
        write(self, span, rows, skipped)
        if not removed:
            removed.append(nodes.remove_node(second, allow_graceful=False))

    monkeypatch.setattr(shards.Sharded, "write", removing)
    assert encode(tiny, "hog", engine="ray", workers=2) == local
    assert removed


def test_errors_come_back_as_they_are(tiny, small_shards, cluster):
    """A damaged picture is named by an actor as by this process."""
    picture = tiny / "raw/000000000007.jpg"
    picture.write_bytes(picture.read_bytes()[:300])
    with pytest.raises(MmclustError, match="cannot be decoded") as caught:
        encode(tiny, "hog", engine="ray", workers=2)
    assert "000000000007.jpg" in str(caught.value)


def test_a_cluster_that_is_not_there(tiny, monkeypatch):
    """Told with the address."""
    ray.shutdown()
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(MmclustError, match="cannot be reached") as caught:
        encode(tiny, "hog", engine="ray", workers=2)
    assert "127.0.0.1:1" in str(caught.value)

"""A device whose memory does not suffice is said, without a traceback."""

from __future__ import annotations

import pytest
import torch

from mmclust import cli
from mmclust.__main__ import main
from mmclust.core.workers import in_order

SAID = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has 8.00 GiB."


def full(task):
    """Raise what torch raises."""
    del task
    raise torch.OutOfMemoryError(f"{SAID} If reserved memory is large, try this.")


def test_a_full_device_is_one_error(monkeypatch):
    """Of a worker, too: it names what torch found, and what to lower."""
    for workers in (1, 2):

        def app(n=workers, **_):
            list(in_order(full, [1, 2], n, describe=str))

        monkeypatch.setattr(cli, "app", app)
        with pytest.raises(SystemExit) as caught:
            main()
        found = str(caught.value)
        assert found.startswith("error: there is not enough memory on the device")
        assert f"found:    {SAID}\n" in found
        assert "lower --batch-size" in found


def test_other_errors_are_not_hidden(monkeypatch):
    """What is a fault of ours keeps its traceback."""

    def app(**_):
        raise RuntimeError(SAID)

    monkeypatch.setattr(cli, "app", app)
    with pytest.raises(RuntimeError, match="out of memory"):
        main()

"""Workers that die: a task is tried again, then named; nothing is lost or doubled."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.workers import RETRIES, WorkerDiedError, in_order, run_tasks


class Fake:
    """A worker in this process that dies as it is told."""

    def __init__(self, log, deaths):
        self.log, self.deaths, self.dead = log, deaths, False
        log.append("start")

    def run(self, task):
        assert not self.dead
        if self.deaths.get(task, 0):
            self.deaths[task] -= 1
            self.dead = True
            raise WorkerDiedError("ended by SIGTEST")
        if task == "bad":
            raise MmclustError("A bad task")
        return task * 2

    def stop(self):
        self.log.append("stop")


def run(tasks, deaths=None, n=3):
    log = []
    start = [lambda: Fake(log, deaths or {})] * n
    found = dict(run_tasks(start, tasks, describe=lambda task: f"task {task}"))
    return found, log


def test_every_task_is_done_once():
    """More tasks than workers, and fewer."""
    for n_tasks in (0, 1, 50):
        found, log = run(range(n_tasks))
        assert found == {task: 2 * task for task in range(n_tasks)}
        assert log.count("start") == log.count("stop") <= 3


def test_a_task_survives_two_deaths():
    """On fresh workers; the others' tasks are not touched."""
    found, log = run(range(20), {7: RETRIES, 3: 1})
    assert found == {task: 2 * task for task in range(20)}
    assert log.count("stop") == log.count("start")


def test_the_third_death_names_the_task():
    """Nothing is guessed: the worker had this task and no other."""
    with pytest.raises(MmclustError, match="died 3 times over the same") as caught:
        run(range(20), {7: RETRIES + 1})
    assert "task 7" in str(caught.value)
    assert "ended by SIGTEST" in str(caught.value)


def test_an_error_is_not_tried_again():
    """What a task raises ends the run."""
    with pytest.raises(MmclustError, match="A bad task"):
        run([1, 2, "bad", 3])


def test_tasks_are_taken_as_they_are_needed():
    """Never more than the workers and one ahead are in flight."""
    taken, done = [], []

    def tasks():
        for task in range(20):
            taken.append(task)
            yield task

    start = [lambda: Fake([], {})] * 2
    for task, _ in run_tasks(start, tasks(), describe=str):
        done.append(task)
        assert len(taken) - len(done) <= 3
    assert sorted(done) == taken == list(range(20))


def double(task):
    if task == "bad":
        raise ValueError("no number")
    if task == "refused":
        raise MmclustError("A bad task", where="here")
    if task == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return task * 2


def named(task):
    return f"number {task}"


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_tasks(workers):
    """From a list, and from an iterator that is drawn from as it goes."""
    tasks = [f"{i}" for i in range(9)]
    for each in (tasks, iter(tasks)):
        found = list(in_order(double, each, workers, describe=named))
        assert found == [task * 2 for task in tasks]
    assert list(in_order(double, [], workers, describe=named)) == []


def test_a_task_that_fails_or_kills_its_worker_is_named():
    """Whatever it raises; one that the system ends, after three tries."""
    with pytest.raises(MmclustError, match="A bad task"):
        list(in_order(double, ["1", "refused"], 2, describe=named))
    with pytest.raises(ValueError, match="no number") as caught:
        list(in_order(double, ["1", "bad"], 2, describe=named))
    assert "in number bad" in caught.value.__notes__
    with pytest.raises(MmclustError, match="died 3 times over the same task") as died:
        list(in_order(double, ["1", "deadly"], 2, describe=named))
    assert "number deadly" in str(died.value)
    assert "SIGKILL, perhaps for want of memory" in str(died.value)


ORPHANS = """
    import ctypes, os, signal, sys, time
    from mmclust.core.workers import in_order

    def run(task):
        if sys.argv[1] == "without prctl":
            ctypes.CDLL(None).prctl(1, 0)
        os.write(1, b"%d\\n" % os.getpid())  # in one piece: two processes share it
        if sys.argv[1] == "in C code":
            ctypes.PyDLL(None).sleep(600)  # does not give up Python's lock
        time.sleep(600)

    if __name__ == "__main__":
        list(in_order(run, range(2), 2, describe=str))
"""


@pytest.mark.parametrize("how", ["in C code", "without prctl"])
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_the_process_that_started_them(tmp_path, how, sign):
    """In the middle of a task, whatever ends it and whatever the task does."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(ORPHANS))
    main = subprocess.Popen(
        [sys.executable, script, how], stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL, start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    for _ in range(2):
        assert int(main.stdout.readline()) > 0  # both are at their task
    main.send_signal(sign)
    assert main.wait(timeout=60) != 0
    end = time.monotonic() + 60
    while True:
        try:
            os.killpg(main.pid, 0)  # of the resource tracker, too, nothing is left
        except ProcessLookupError:
            return
        assert time.monotonic() < end
        time.sleep(0.02)

"""Workers that die: a task is tried again, then named; nothing is lost or doubled."""

import pytest

from mmclust.core.errors import MmclustError
from mmclust.core.workers import RETRIES, WorkerDiedError, run_tasks


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

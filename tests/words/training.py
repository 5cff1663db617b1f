"""Run in a process of its own: learn, and maybe die.

    python training.py ROOT STEPS

SIGKILL after STEPS steps (0: never); it runs no handler. The state is saved after
every step.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from mmclust.core.params import read_params
from mmclust.core.types import Flags
from mmclust.words import _train
from mmclust.words._stage import learn_words


def main(root, steps):
    step, taken = _train.Session.step, []

    def counted(self, *arguments):
        if steps and len(taken) == steps:
            os.kill(os.getpid(), signal.SIGKILL)
        taken.append(1)
        return step(self, *arguments)

    _train.Session.step = counted
    params = read_params(root / "params.yaml")
    learn_words(root, "joint_model", params, Flags(save_every=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))

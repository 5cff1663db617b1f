"""An encoder that misbehaves as its params say."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VIEWS = ("image",)


@dataclass(frozen=True)
class Params:
    how: str = ""
    deaths: int = 0
    folder: str = ""


def prepare(rgb, params):
    red = float(rgb[..., 0].mean())
    if params.how == "shape":
        return np.zeros(3 + (red > 45), np.float32)
    if params.how == "nan" and red > 45:
        return np.array([np.nan, 1], np.float32)
    if params.how == "whole numbers":
        return np.array([1, 2])
    if params.how == "die" and red > 45:
        met = len(list(Path(params.folder).glob("*.death")))
        if met < params.deaths:
            (Path(params.folder) / f"{met}.death").touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return np.array([red, 1], np.float32)

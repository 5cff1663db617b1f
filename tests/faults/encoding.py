"""Run in a process of its own: encode `tiny` slowly with hog, until it is killed.

python -m tests.faults.encoding ROOT
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from mmclust.core import shards
from mmclust.encode import engine
from mmclust.encoders import hog
from tests.encode.staging import encode

if __name__ == "__main__":
    prepare = hog.prepare

    def slowly(rgb, params):
        time.sleep(0.05)
        return prepare(rgb, params)

    hog.prepare = slowly
    shards.ROWS, engine.BATCH = 4, 4
    encode(Path(sys.argv[1]), "hog")

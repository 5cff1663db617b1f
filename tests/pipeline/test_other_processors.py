"""The promise of docs/numerics.md: every stage writes the same bytes on any processor.

A small world goes through all stages here, and on processors that qemu emulates. It
knows no AVX-512: that no library uses it, tests/core/test_numerics.py sees.
"""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from mmclust.core import numerics
from tests.conftest import ROOT
from tests.pipeline import small_world

EMULATOR = shutil.which("qemu-x86_64")
INSIST = "MMCLUST_EMULATE"
PROCESSORS = ("Haswell", "EPYC-Rome")
SLOW = ("Skylake-Server",)  # a third run of minutes; `pytest -m slow` adds it

needs_emulator = pytest.mark.skipif(
    not EMULATOR and not os.environ.get(INSIST),
    reason="qemu-x86_64 is not installed (Debian and Ubuntu: qemu-user)",
)
needs_avx2 = pytest.mark.skipif(
    not numerics.possible(), reason="numerics: portable needs x86-64 with AVX2"
)


def made(folder, processor=None, **variables):
    """Run the small world; return the digest of each file."""
    script = str(ROOT / "tests/pipeline/small_world.py")
    emulator = [EMULATOR or "qemu-x86_64", "-cpu", processor] if processor else []
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [*emulator, sys.executable, script, str(folder)], env=own | variables,
        capture_output=True, text=True, check=False, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory, request):
    """What was made here and on each processor, two at a time."""
    root = tmp_path_factory.mktemp("worlds")
    chosen = {item.callspec.params.get("processor") for item in request.session.items
              if hasattr(item, "callspec")}  # fmt: skip
    wanted = [None, *(p for p in (*PROCESSORS, *SLOW) if p in chosen)]
    with ThreadPoolExecutor(2) as pool:
        runs = {p: pool.submit(made, root / str(p), p) for p in wanted}
    return {processor: run.result() for processor, run in runs.items()}


def differing(here, there):
    names = here["files"].keys() | there["files"].keys()
    return sorted(n for n in names if here["files"].get(n) != there["files"].get(n))


@needs_avx2
@needs_emulator
@pytest.mark.parametrize(
    "processor", [*PROCESSORS, *(pytest.param(p, marks=pytest.mark.slow) for p in SLOW)]
)
def test_every_stage_writes_the_same_bytes(worlds, processor):
    """From the drawn pictures to the page."""
    assert differing(worlds[None], worlds[processor]) == []


@needs_avx2
def test_the_small_world_has_every_stage_and_kind(worlds):
    """Else the test above says less than it seems to."""
    here = worlds[None]["files"]
    pipeline, params = small_world.pipeline(), small_world.small()
    stages = {name for name, _ in small_world.commands(pipeline, params)}
    assert set(pipeline["stages"]) - stages == {"caption"}  # a model's, downloaded
    for each in (
        "data/sample/registry.yaml",
        "data/benchmarks/coco_all/thumbnails.jpg",
        "data/features/coco_all/miniclip/fitted.safetensors",
        "data/features/coco_all/classical/image.npy",
        "data/nouns/coco_all/counterparts.npy",
        "data/heads/coco_all/dxmc/seed_0.safetensors",
        "data/words/joint_model/seed_0/visual.safetensors",
        "data/retrieval/mscoco_fg/miniclip/t2i_main.parquet",
        "data/grounding/coco_words/images.parquet",
        "metrics/details/score/coco_all.csv",
        "report/index.html",
    ):
        assert each in here
    assert len(here) > 240


@needs_avx2
def test_a_number_of_cores_changes_nothing_either(worlds, tmp_path):
    """The libraries' threads: what the caller's environment says does not count."""
    again = made(tmp_path / "again", OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2")
    assert differing(worlds[None], again) == []

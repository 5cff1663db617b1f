"""The same numbers on every x86-64 machine: which instructions, how many threads.

Libraries choose their code by the processor they find, and codes differ in the last
digit. With ``numerics: portable`` all are held to AVX2 and one thread, so that results
are the same bytes everywhere; ``fast`` leaves the choice to them. docs/numerics.md
says what is promised and what it costs.

This module is the first that a command imports: it loads no library of numbers.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from mmclust.core.errors import MmclustError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

KINDS = ("portable", "fast")
VARIABLE = "MMCLUST_NUMERICS"
"""Goes before params.yaml."""

LIBRARIES = ("numpy", "scipy", "sklearn", "torch", "faiss", "cv2", "pyarrow")
"""What reads its settings when it is loaded, and so must be loaded after them."""

INSTRUCTIONS = {
    # MKL, in torch: AVX2 is not enough, Intel and AMD would differ.
    "MKL_CBWR": "COMPATIBLE",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    # Of numpy, scipy, faiss and OpenCV: each brings its own.
    "OPENBLAS_CORETYPE": "Haswell",
    # All that numpy chooses from, by the names of 2.4 and of those before it.
    "NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4,FMA3,AVX2,AVX512F,AVX512CD,AVX512_SKX,"
    "AVX512_CLX,AVX512_CNL,AVX512_ICL,AVX512_SPR",
    "FAISS_SIMD_LEVEL": "AVX2",
    "OPENCV_IPP": "avx2",
    "ARROW_USER_SIMD_LEVEL": "AVX2",
}
_OPENCV = "OPENCV_CPU_DISABLE"
"""Set only where there is something to disable: OpenCV complains otherwise."""

_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
_COUNTED = {
    "torch": ("get_num_threads", "set_num_threads"),
    "cv2": ("getNumThreads", "setNumThreads"),
}
"""Libraries that count their threads themselves."""
_KEY = re.compile(r"""^numerics\s*:\s*["']?(\w+)["']?\s*(?:#.*)?$""", re.MULTILINE)

_held: ContextVar[int | None] = ContextVar("held", default=None)
_before: dict[str, str | None] = {}


def settle(params: Path = Path("params.yaml")) -> None:
    """Set what libraries read when they are loaded, as the run's ``numerics`` asks.

    Processes that this one starts inherit it. What the caller's environment says
    about the same variables does not count in portable runs.
    """
    if asked(params) == "fast" or not possible():
        return
    wanted = INSTRUCTIONS | dict.fromkeys(_THREADS, "1")
    if "avx512bw" in _flags():
        wanted[_OPENCV] = "AVX512-SKX"
    _before.update({name: os.environ.get(name) for name in wanted})
    os.environ.update(wanted)


def asked(params: Path = Path("params.yaml")) -> str:
    """Return ``portable`` or ``fast``: by the environment, params.yaml, or default.

    The file is not parsed here, which would take longer than all the rest;
    :func:`require` compares what was found with what the file says.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        _refuse_unknown(chosen, f"{VARIABLE}, a variable of the environment")
        return chosen
    try:
        found = _KEY.search(params.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return "portable"
    return "fast" if found and found[1] == "fast" else "portable"


def require(numerics: str, params: Path) -> None:
    """Refuse a numerics that is unknown, or that :func:`asked` overlooked."""
    _refuse_unknown(numerics, "numerics in params.yaml")
    if not os.environ.get(VARIABLE) and asked(params) != numerics:
        raise MmclustError(
            "numerics in params.yaml is not on a line of its own",
            where=params,
            expected=f"the line numerics: {numerics}",
            do="write it at the left margin, with nothing but a comment behind it",
        )


def _refuse_unknown(numerics: str, where: str) -> None:
    if numerics not in KINDS:
        raise MmclustError(
            "Unknown numerics",
            where=where,
            expected=nearest(numerics, KINDS),
            found=numerics,
        )


def possible() -> bool:
    """Whether this machine can compute portably: x86-64 with AVX2."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    return not sys.platform.startswith("linux") or "avx2" in _flags()


def in_use() -> str:
    """Return what this process computes by: ``portable`` or ``fast``."""
    held = all(os.environ.get(name) == v for name, v in INSTRUCTIONS.items())
    return "portable" if held else "fast"


def recorded() -> dict[str, str]:
    """Return what to note beside results, and in the keys of work to be resumed.

    Nothing in portable runs: their results do not depend on where they are made.
    """
    return {} if in_use() == "portable" else {"numerics": in_use()}


def instructions() -> str:
    """Say up to which instructions libraries compute in this process."""
    if in_use() == "portable":
        return "AVX2"
    flags = _flags()
    known = {"avx512f": "AVX-512", "avx2": "AVX2", "avx": "AVX"}
    best = next((name for flag, name in known.items() if flag in flags), "")
    return f"whatever each library finds{best and f', up to {best}'}"


def as_given() -> dict[str, str]:
    """Return the environment without what :func:`settle` set.

    For commands of another commit, whose params.yaml may say another thing.
    """
    given = dict(os.environ)
    _restore(given, _before)
    return given


def settings() -> dict[str, str]:
    """Return what a process elsewhere needs to be told, to compute as this one."""
    return {name: os.environ[name] for name in _before} | {VARIABLE: in_use()}


def _flags() -> set[str]:
    """Return the first processor's features, where Linux tells them."""
    with contextlib.suppress(OSError), Path("/proc/cpuinfo").open("rb") as file:
        for line in file.read(1 << 14).decode(errors="replace").splitlines():
            if line.startswith("flags"):
                return set(line.partition(":")[2].split())
    return set()


@contextlib.contextmanager
def threads(n: int = 1) -> Iterator[None]:
    """Hold every library of numbers to n threads, loaded already or loaded inside.

    The order of sums, and so the bytes, depend on how many there are. Speed comes
    from several processes. Also a decorator: ``@threads(1)``.
    """
    if _held.get() == n:
        yield
        return
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in _THREADS}
    said = (before["OMP_NUM_THREADS"] or "").partition(",")[0]  # of nested levels
    default = int(said) if said.isdecimal() else os.cpu_count() or 1
    with contextlib.ExitStack() as stack:
        stack.callback(_held.reset, _held.set(n))
        stack.callback(_restore, os.environ, before)
        os.environ.update(dict.fromkeys(_THREADS, str(n)))
        stack.enter_context(threadpool_limits(n))
        for name, (get, hold) in _COUNTED.items():
            loaded = name in sys.modules
            count = getattr(sys.modules[name], get)() if loaded else default
            stack.callback(_hold, name, hold, count)
            _hold(name, hold, n)
        yield


def in_thread(n: int = 1) -> None:
    """Hold a thread of one's own, in its first line, to n of torch's threads.

    A thread that torch has not seen takes as many as there are cores.
    """
    _hold("torch", _COUNTED["torch"][1], n)


def _hold(name: str, setter: str, count: int) -> None:
    """Give a library its number of threads, if it is loaded by now."""
    if name in sys.modules:
        getattr(sys.modules[name], setter)(count)


def _restore(
    environment: MutableMapping[str, str], before: dict[str, str | None]
) -> None:
    for name, value in before.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value

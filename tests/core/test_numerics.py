"""The settings that make numbers the same on every machine, and the number of threads.

That results are then the same bytes is tests/pipeline/test_other_processors.py's.
"""

import ast
import json
import os
import platform
import re
import subprocess
import sys

import pytest

from mmclust.core import numerics
from mmclust.core.errors import MmclustError
from mmclust.core.numerics import threads
from mmclust.core.params import read_params
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(
    not numerics.possible(), reason="numerics: portable needs x86-64 with AVX2"
)
SEEN = """
import json, sys
from mmclust.core import numerics
numerics.settle()
assert not set(numerics.LIBRARIES) & set(sys.modules)
import cv2, faiss, numpy, scipy.linalg, sklearn, torch
from numpy._core import _multiarray_umath as core
from threadpoolctl import threadpool_info
info = threadpool_info()
print(json.dumps({
    "numpy": [f for f in core.__cpu_dispatch__ if core.__cpu_features__[f]],
    "torch": [torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()],
    "blas": sorted({i["architecture"] for i in info if i["user_api"] == "blas"}),
    "threads": sorted({i["num_threads"] for i in info} | {cv2.getNumThreads()}),
    "cv2": cv2.getCPUFeaturesLine(), "ipp": cv2.ipp.getIppVersion(),
    "faiss": faiss.SIMDConfig.get_level_name(),
    "in_use": numerics.in_use(), "given": numerics.as_given().get("MKL_CBWR"),
}))
"""


def seen(cwd, **variables):
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", SEEN], cwd=cwd, env=own | variables,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "OPENCV" not in done.stderr  # it complains about what it does not know
    return json.loads(done.stdout)


def test_every_library_is_held_to_avx2_and_one_thread(tmp_path):
    """Each says itself what it runs; what the caller had set does not count."""
    found = seen(
        tmp_path, MKL_CBWR="AVX2", OPENBLAS_CORETYPE="Zen", OMP_NUM_THREADS="2"
    )
    assert found["numpy"] == []  # nothing above its baseline
    assert found["torch"] == ["AVX2", 1]
    assert found["blas"] == ["Haswell"]
    assert found["threads"] == [1]
    assert "*AVX512" not in found["cv2"].replace("*AVX512-SKX?", "")
    assert "AVX2" in found["ipp"]
    assert found["faiss"] == "AVX2"
    assert found["in_use"] == "portable"
    assert found["given"] == "AVX2"  # for a command of another commit


@pytest.mark.parametrize("where", ["params.yaml", "environment"])
def test_fast_leaves_the_choice_to_the_libraries(tmp_path, where):
    """By the param, or by the variable, which goes before it."""
    fast = where == "params.yaml"
    (tmp_path / "params.yaml").write_text(f"numerics: {'fast' if fast else 'portable'}")
    variables = {} if fast else {numerics.VARIABLE: "fast"}
    found = seen(tmp_path, **variables)
    assert found["in_use"] == "fast"
    assert found["numpy"] != []
    assert found["given"] is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("seed: 1\n", "portable"),
        ("seed: 1\nnumerics: fast  # why\n", "fast"),
        ("numerics: 'fast'\n", "fast"),
        ('numerics : "fast"\r\nseed: 1\n', "fast"),
        ("model:\n  numerics: fast\n", "portable"),
        ("# numerics: fast\n", "portable"),
    ],
)
def test_params_are_read_without_a_parser(tmp_path, monkeypatch, text, kind):
    """The key at the left margin; comments and keys further in are none."""
    monkeypatch.delenv(numerics.VARIABLE, raising=False)
    path = tmp_path / "params.yaml"
    path.write_text(text)
    assert numerics.asked(path) == kind
    assert numerics.asked(tmp_path / "none.yaml") == "portable"


def test_what_the_first_lines_overlook_is_refused(tmp_path, monkeypatch):
    """A valid file in which the key cannot be seen at a glance; unknown values."""
    monkeypatch.delenv(numerics.VARIABLE, raising=False)
    path = tmp_path / "params.yaml"
    path.write_text("{numerics: fast}\n")
    with pytest.raises(MmclustError, match="expected: the line numerics: fast"):
        read_params(path)
    path.write_text("numerics: exact\n")
    with pytest.raises(MmclustError, match="one of: fast, portable"):
        read_params(path)
    path.write_text("numerics: fast\n")
    assert read_params(path).numerics == "fast"


def test_an_unknown_value_of_the_variable_is_one_message(
    run_mmclust, tmp_path, monkeypatch
):
    """Nothing runs by numbers other than those asked for."""
    monkeypatch.setenv(numerics.VARIABLE, "portabel")
    done = run_mmclust("--help", cwd=tmp_path)
    assert done.returncode == 1
    assert "Did you mean 'portable'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_set_where_it_would_not_help(monkeypatch, tmp_path):
    """On Arm, some of these variables are errors."""
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.chdir(tmp_path)
    for name in numerics.INSTRUCTIONS:
        monkeypatch.delenv(name, raising=False)
    numerics.settle()
    assert not set(numerics.INSTRUCTIONS) & set(os.environ)
    assert numerics.in_use() == "fast"


def test_opencv_is_told_only_of_what_is_there(monkeypatch):
    """AVX-512 is switched off where there is some."""
    monkeypatch.delenv(numerics.VARIABLE, raising=False)
    monkeypatch.delenv("OPENCV_CPU_DISABLE", raising=False)
    monkeypatch.setattr(numerics, "_before", {})
    for flags, expected in (
        ({"avx2"}, None),
        ({"avx2", "avx512bw"}, "AVX512-SKX"),
    ):
        monkeypatch.setattr(numerics, "_flags", lambda flags=flags: flags)
        numerics.settle()
        assert os.environ.get("OPENCV_CPU_DISABLE") == expected


def counts():
    import cv2
    import torch
    from threadpoolctl import threadpool_info

    return [torch.get_num_threads(), cv2.getNumThreads()] + [
        each["num_threads"] for each in threadpool_info()
    ]


def test_threads_are_held_inside_and_given_back():
    """For every library at once; also nested, and after an error."""
    import faiss  # noqa: F401
    import sklearn  # noqa: F401

    with threads(2):
        before = counts()
        assert set(before) == {2}
        with threads(1), threads(1):
            assert set(counts()) == {1}
            assert os.environ["OMP_NUM_THREADS"] == "1"
        assert counts() == before
        with pytest.raises(ValueError, match="inside"), threads(1):
            raise ValueError("inside")
        assert counts() == before


def test_a_library_loaded_inside_is_held_and_given_back():
    """It reads the variables; afterwards it has the threads it would have had."""
    code = """
from mmclust.core.numerics import threads
with threads(1):
    import torch, cv2
    print(torch.get_num_threads(), cv2.getNumThreads())
print(torch.get_num_threads(), cv2.getNumThreads())
"""
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=own | {"OMP_NUM_THREADS": "3,2"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["1", "1", "3", "3"]


def sources():
    for path in sorted((ROOT / "src").rglob("*.py")):
        yield path.relative_to(ROOT / "src/mmclust").as_posix(), path.read_text()


def test_threads_are_limited_in_one_way():
    """No function changes them for the whole process and leaves it so."""
    ways = r"set_num_threads|threadpool_limits|setNumThreads|_NUM_THREADS"
    users = {name for name, text in sources() if re.search(ways, text)}
    assert users == {"core/numerics.py"}


# On a CPU these go through MKL's vector library, which no setting governs.
DISOBEY = {"sqrt", "cdist", "atan", "std", "acos", "asin", "tan", "erfinv", "pdist"}


def disobedient(text):
    """Calls of torch whose result differs between processors."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, owner = node.func.attr, ast.unparse(node.func.value)
        keywords = {k.arg for k in node.keywords}
        if name in DISOBEY and (owner == "torch" or not node.args):
            # Without arguments it is a method; numpy's obey.
            yield f"{owner}.{name}"
        if re.fullmatch(r"N?Adam(W|ax)?|RMSprop", name) and "fused" not in keywords:
            yield f"{owner}.{name}"


def test_no_operation_is_used_that_differs_between_processors():
    """The check itself finds what it is for."""
    bad = "torch.sqrt(x); x.sqrt(); torch.cdist(x, y); torch.optim.AdamW(p, 1e-3)"
    assert len(list(disobedient(bad))) == 4
    assert list(disobedient("np.sqrt(x); torch.optim.Adam(p, fused=True)")) == []
    found = {
        name: calls
        for name, text in sources()
        if "torch" in text and (calls := list(disobedient(text)))
    }
    assert found == {}

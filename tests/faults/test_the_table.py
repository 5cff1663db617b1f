"""docs/faults.md: every test it names exists, and every fault of the tests is in it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults import test_download_faults, test_local_faults, test_stages
from tests.faults.stages import STAGES
from tests.sources import test_zip_members

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| (.+?) \| (.+?) \| `(test_\w+)(?:\[([\w -]+)\])?` \|$",
    (ROOT / "docs/faults.md").read_text(),
    re.MULTILINE,
)


def test_every_test_of_the_table_exists():
    """Test functions by name, parameters by the sweeps they belong to."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    text = "\n".join(path.read_text() for path in files)
    parameters = {
        "test_a_fault_is_told_and_changes_nothing": set(test_download_faults.MESSAGES),
        "test_a_way_that_leads_to_the_file": set(test_download_faults.FINE),
        "test_only_what_is_missing_is_asked_for": {"50", "99"},
        "test_a_kill": set(test_local_faults.KILLS),
        "test_what_cannot_be_had_is_told": set(test_zip_members.REFUSED),
        "test_a_stage_survives_faults_at_its_writes": set(STAGES),
        "test_workers_end_with_the_main_process": {
            "-".join(map(str, each)) for each in test_stages.FEW
        },
        "test_workers_end_with_the_process_that_started_them": {
            "in C code",
            "without prctl",
        },
    }
    assert len(ROWS) > 100
    for _, _, name, parameter in ROWS:
        assert f"def {name}(" in text, name
        assert not parameter or parameter in parameters[name], (name, parameter)


def test_every_fault_is_in_the_table():
    """No message of the server's sweep is left out."""
    named = {parameter for *_, parameter in ROWS}
    elsewhere = {"endless"}  # has a test of its own
    assert set(test_download_faults.MESSAGES) <= named | elsewhere
    assert set(STAGES) - {"check"} <= named  # it keeps nothing, and is over at once
    assert all(promise and fault for fault, promise, *_ in ROWS)

"""The gate of `make mutants`."""

import json
from pathlib import Path

import pytest

from scripts import mutants


def counts(**of_status: int) -> dict[str, int]:
    """What mutmut writes, with a 0 for each status that is not given."""
    every = dict.fromkeys((*mutants.KILLED, *mutants.LIVING, "skipped", "total"), 0)
    return every | {"total": sum(of_status.values())} | of_status


@pytest.mark.parametrize(
    ("found", "line", "is_enough"),
    [
        (counts(killed=85, survived=15), "85 of 100 killed, 85.0%; at least 85% are needed", True),
        (counts(killed=84, survived=16), "84 of 100 killed, 84.0%; at least 85% are needed", False),
        (counts(killed=7, timeout=2, segfault=1), "10 of 10 killed, 100.0%; at least 85% are needed", True),
        (counts(killed=2, no_tests=1, suspicious=1), "2 of 4 killed, 50.0%; at least 85% are needed", False),
        (
            counts(killed=9, survived=1, total=30),
            "9 of 10 killed, 90.0%; at least 85% are needed; 20 have no result",
            True,
        ),
        (counts(total=30), "none has a result", False),
    ],
)
def test_too_few_killed_mutants_are_said(found: dict[str, int], line: str, is_enough: bool) -> None:
    assert mutants.verdict(found) == (f"mutants: {line}", is_enough)


@pytest.mark.parametrize(("survived", "status"), [(0, 0), (9, 1)])
def test_the_exit_status_says_whether_enough_are_killed(
    survived: int, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "counts.json"
    written.write_text(json.dumps(counts(killed=1, survived=survived)))
    monkeypatch.setattr(mutants, "COUNTS", written)
    assert mutants.main() == status

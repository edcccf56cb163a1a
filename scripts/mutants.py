"""Say how many mutants the tests kill, and fail if they are too few; `make mutants` runs it last."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

COUNTS = Path(__file__).parents[1] / "mutants" / "mutmut-cicd-stats.json"
"""What `mutmut export-cicd-stats` writes: the number of mutants of each status."""

KILLED = ("killed", "timeout", "segfault")
LIVING = ("survived", "no_tests", "suspicious")

LEAST = 0.85
"""Least share of the mutants to kill."""


def main() -> int:
    """Print the verdict; return 1 if too few mutants are killed."""
    line, is_enough = verdict(json.loads(COUNTS.read_text()))
    print(line, file=sys.stdout if is_enough else sys.stderr)
    return 0 if is_enough else 1


def verdict(counts: Mapping[str, int]) -> tuple[str, bool]:
    """Return a line that says how many of the tried mutants are killed, and whether they are enough.

    Mutants of other names than those asked for may have no result yet; they count neither way.
    """
    killed, living = (sum(counts[status] for status in statuses) for statuses in (KILLED, LIVING))
    tried = killed + living
    if not tried:
        return "mutants: none has a result", False
    untried = f"; {counts['total'] - tried} have no result" if tried < counts["total"] else ""
    share = killed / tried
    line = f"mutants: {killed} of {tried} killed, {share:.1%}; at least {LEAST:.0%} are needed{untried}"
    return line, share >= LEAST


if __name__ == "__main__":
    sys.exit(main())

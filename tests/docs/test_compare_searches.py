"""docs/how-to/compare-searches.md: its commands, the race that they make, and the run that they name."""

import re
import shlex
from pathlib import Path

import pytest

from ltr.analysis.search_race import base_lines, contestants, is_race
from ltr.arms import checks
from ltr.config.schema import Experiment
from ltr.experiment.compose import from_words
from ltr.store.identity import run_id

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "compare-searches.md").read_text()
FIRST, SECOND, OTHER = re.findall(r"^ltr run (.*)$", PAGE, re.MULTILINE)


def experiment(words: str) -> Experiment:
    return from_words(shlex.split(words))


def test_the_commands_make_races() -> None:
    first, second = experiment(FIRST), experiment(SECOND)
    for asked in (first, second):
        checks.check(asked)
        assert is_race(asked)
    assert contestants(second) == [*contestants(first), "short_ticket"]


def test_more_searches_extend_the_run_that_is_compared() -> None:
    assert run_id(experiment(FIRST)) == run_id(experiment(SECOND))
    assert f"ltr compare {run_id(experiment(FIRST))} last --race" in PAGE


def test_the_table_is_of_the_first_command() -> None:
    rows = re.findall(r"^(\w+) +\d+\.\d\d ± ", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(experiment(FIRST).arms)


@pytest.mark.parametrize("arm", re.findall(r"`(\w+_(?:shuffled|reinit|inverted))`", PAGE))
def test_controls_exist_and_take_no_part(arm: str) -> None:
    asked = experiment(f"arms=[ticket,{arm.rpartition('_')[0]},{arm}]")
    assert arm in asked.arms
    assert arm not in contestants(asked) + base_lines(asked)

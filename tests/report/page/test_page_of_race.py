"""The race of searches on a page."""

from typing import Any

import numpy as np
import pytest

from ltr.analysis.search_race import Searched, race_of
from ltr.config.parse import parse
from ltr.report.page import Subject, page
from tests.report.page.test_page import Read

COLUMNS = ("accuracy", "difference", "cost", "times_less", "cost_seconds")


@pytest.fixture(scope="module")
def racing(subject: Subject) -> Subject:
    """The run, with SNIP in place of fresh weights."""
    arm = {
        "snip": {"mask": "snip"},
        "random_mask": {"shuffle": "layerwise"},
        "one_shot": {"mask": "one_shot"},
    }
    asked: dict[str, Any] = {"rounds": 4, "arms": ["ticket", *arm], "arm": arm, "control_rounds": [2, 4]}
    costs = {"ticket": 3e9, "snip": 1e7, "one_shot": 1e9, "random_mask": 0.0}
    results, timings = (
        table.assign(arm=table["arm"].replace("random_reinit", "snip"))
        for table in (subject.results, subject.timings)
    )
    return subject._replace(
        experiment=parse(asked),
        results=results.assign(search_flops=results["arm"].map(costs)),
        timings=timings.assign(search_seconds=timings["arm"].map(costs) / 1e9),
        metrics=subject.metrics.assign(arm=subject.metrics["arm"].replace("random_reinit", "snip")),
    )


@pytest.fixture(scope="module")
def html(racing: Subject) -> str:
    return page([racing])


def test_every_number_of_a_race_is_one_of_its_table(racing: Subject, html: str) -> None:
    table = race_of(Searched(racing.experiment, racing.results, racing.timings))
    read = Read(html)
    expected = table[[*COLUMNS]].to_numpy().ravel()
    assert len(table) == 8
    assert read.numbers["r0-race"] == pytest.approx(expected[~np.isnan(expected)])
    assert [len(read.said[f"r0-race-{number}"]) for number in (2, 4)] == [4, 4]


def test_a_race_takes_the_place_of_the_cost_of_the_search(html: str) -> None:
    assert 'id="r0-race-2"' in html
    assert 'id="r0-cost"' not in html

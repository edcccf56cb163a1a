import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltr.config.schema import Duration, Experiment


def test_an_experiment_cannot_be_altered() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Experiment().rounds = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "steps"), [("50000", 50000), (50000, 50000), ("20ep", 380), ("0", 0), (Duration(2, "ep"), 38)]
)
def test_durations_are_steps_or_epochs(text: Any, steps: int) -> None:
    assert Duration.parse(text).in_steps(steps_per_epoch=19) == steps


@given(st.builds(Duration, st.integers(1, 10**6), st.sampled_from(["", "ep"])))
def test_a_duration_is_printed_as_it_is_typed(duration: Duration) -> None:
    assert Duration.parse(str(duration)) == duration


@pytest.mark.parametrize("text", ["", "ep", "-1", "1.5", "20 ep", "20epochs", "1e3", None, True, 1.0])
def test_anything_else_is_no_duration(text: Any) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        Duration.parse(text)

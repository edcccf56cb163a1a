"""Limits of an experiment beyond those of each knob."""

import pytest

from ltr.errors import ConfigError
from ltr.experiment.checks import MOST_TRAININGS
from ltr.experiment.compose import from_words


@pytest.mark.parametrize(
    ("word", "trainings"),
    [
        ("rounds=1000000000", "32,000,000,008"),
        ("replicates=1000000000", "61,000,000,000"),
        ("arm.random_mask.draws=1000000000", "120,000,000,368"),
    ],
)
def test_more_trainings_than_can_be_listed_are_refused(word: str, trainings: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_words([word])
    assert str(caught.value) == f"{word}: makes {trainings} trainings; must be at most 1,000,000 in all"


def test_as_many_trainings_as_allowed_are_accepted() -> None:
    words = ["arms=[ticket]", "rounds=0"]
    assert from_words([*words, f"replicates={MOST_TRAININGS}"]).replicates == MOST_TRAININGS
    with pytest.raises(ConfigError, match=r"^replicates=1000001: makes 1,000,001 trainings"):
        from_words([*words, f"replicates={MOST_TRAININGS + 1}"])


def test_a_network_may_not_be_wider_than_arrays_can_be() -> None:
    with pytest.raises(ConfigError, match=r"^model.width=1e\+?300: must be a number > 0 and <= 1000$"):
        from_words(["model.width=1e300"])


@pytest.mark.parametrize(
    "knob",
    [
        "optimizer.learning_rate",
        "optimizer.weight_decay",
        "optimizer.clip",
        "optimizer.options.epsilon",
        "arm.random_mask.noise",
    ],
)
def test_a_number_that_is_infinite_in_float32_is_refused(knob: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_words([f"{knob}=1e39"])
    assert str(caught.value) == f"{knob}=1e+39: must be at most 3.4e+38, as it is a float32 in training"
    from_words([f"{knob}=1e38"])

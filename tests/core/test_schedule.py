import pytest

from ltr.config.schema import Duration, Experiment
from ltr.core.schedule import Schedule, resolve
from ltr.errors import ConfigError
from ltr.pruning.registry import REWINDINGS

SPAN = REWINDINGS["weights"].span


def test_epochs_are_whole_batches() -> None:
    experiment = Experiment(
        batch_size=60,
        steps=Duration(3, "ep"),
        eval_every=Duration(1, "ep"),
        rewind_step=Duration(7),
    )
    assert resolve(experiment, 1197, SPAN) == Schedule(57, 19, 7, 19, (7, 57))


@pytest.mark.parametrize(
    ("schedule", "round_number", "expected"),
    [
        (Schedule(10, 5, 0, 1, (0, 10)), 0, [0, 5, 10]),
        (Schedule(10, 4, 0, 1, (0, 10)), 0, [0, 4, 8, 10]),
        (Schedule(10, 20, 0, 1, (0, 10)), 0, [0, 10]),
        (Schedule(1, 1, 0, 1, (0, 1)), 0, [0, 1]),
        (Schedule(10, 4, 3, 1, (3, 10)), 0, [0, 4, 8, 10]),
        (Schedule(10, 4, 3, 1, (3, 10)), 1, [3, 4, 8, 10]),
        (Schedule(10, 4, 4, 1, (4, 10)), 2, [4, 8, 10]),
        (Schedule(10, 4, 3, 1, (10, 17)), 0, [0, 4, 8, 10]),
        (Schedule(10, 4, 3, 1, (10, 17)), 1, [10, 12, 16, 17]),
    ],
)
def test_a_round_is_evaluated_at_its_first_step_at_multiples_and_at_its_last(
    schedule: Schedule, round_number: int, expected: list[int]
) -> None:
    assert schedule.evaluate_at(round_number).tolist() == expected
    assert schedule.length(round_number) == expected[-1] - expected[0]


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (Experiment(batch_size=101), "batch_size=101: must be at most 100, the training examples of digits"),
        (Experiment(steps=Duration(2**31)), "steps=2147483648: must be at most 2147483647 steps in all"),
        (Experiment(steps=Duration(9), rewind_step=Duration(9)), "rewind_step=9: must be less than steps=9"),
        (
            Experiment(steps=Duration(9), rewind_step=Duration(9, "ep")),
            "rewind_step=9ep: must be less than steps=9",
        ),
    ],
)
def test_schedules_that_cannot_be(experiment: Experiment, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        resolve(experiment, 100, SPAN)

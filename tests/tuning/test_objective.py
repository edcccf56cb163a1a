"""The objective sees validation alone, and compares trials at equal density."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ltr.store import tables
from ltr.tuning.objective import (
    COLUMNS,
    STARTUP,
    Ticket,
    accuracy_at,
    is_hopeless,
    ladder,
    reached,
    rungs,
    tickets,
    tickets_of,
)

TEST = ["test_loss", "test_accuracy"]
VALIDATION = ["val_loss", "val_accuracy"]


def metrics(random: np.random.Generator) -> pd.DataFrame:
    """Two replicates of two arms, of three rounds with four evaluations each."""
    rows = [
        {"replicate": replicate, "arm": arm, "draw": 0, "round": number, "density": 0.5**number, "step": step}
        for replicate in range(2)
        for arm in ("ticket", "random_mask")
        for number in range(3)
        for step in (0, 10, 20, 30)
    ]
    frame = pd.DataFrame(rows)
    for column in ("train_loss", *VALIDATION, *TEST):
        frame[column] = random.random(len(frame)).astype(np.float32)
    return frame


def written(folder: Path, frame: pd.DataFrame) -> float:
    """The accuracy at a density of a run with this table."""
    folder.mkdir()
    tables.write(folder, "metrics", frame)
    return accuracy_at(0.3, [*tickets(folder, 2).values()])


@pytest.mark.parametrize("poison", [np.nan, 0.0, 1e9])
def test_no_test_accuracy_is_seen(tmp_path: Path, poison: float) -> None:
    frame = metrics(np.random.default_rng(0))
    poisoned = frame.assign(**dict.fromkeys(TEST, np.float32(poison)))
    assert written(tmp_path / "poisoned", poisoned) == written(tmp_path / "true", frame)
    assert not {*COLUMNS} & {*TEST, "train_loss"}


def test_poison_in_the_columns_of_validation_is_seen(tmp_path: Path) -> None:
    frame = metrics(np.random.default_rng(0))
    before = written(tmp_path / "true", frame)
    for column in VALIDATION:
        assert written(tmp_path / column, frame.assign(**{column: frame[column][::-1].to_numpy()})) != before


def test_other_arms_are_not_seen(tmp_path: Path) -> None:
    frame = metrics(np.random.default_rng(0))
    tickets_alone = frame[frame["arm"] == "ticket"]
    assert written(tmp_path / "alone", tickets_alone) == written(tmp_path / "all", frame)


def lane(losses: list[float], accuracies: list[float], number: int = 0, replicate: int = 0) -> pd.DataFrame:
    rows = {"step": range(len(losses)), "val_loss": losses, "val_accuracy": accuracies}
    return pd.DataFrame(rows).assign(arm="ticket", replicate=replicate, round=number, density=0.8**number)


def test_accuracy_is_that_of_the_first_least_validation_loss() -> None:
    found = tickets_of(lane([2.0, 1.0, 1.0, 3.0], [0.1, 0.5, 0.6, 0.9]), 1)
    assert found == {0: [Ticket(1.0, 0.5)]}


def test_diverged_tickets_have_no_accuracy_and_count_as_0() -> None:
    found = tickets_of(pd.concat([lane([2.0, 1.0], [0.1, 0.5]), lane([1.0, np.nan], [0.6, np.nan], 1)]), 1)
    assert found[0][0] == Ticket(1.0, 0.5)
    assert np.isnan(found[0][1].accuracy)
    assert accuracy_at(0.8, [found[0]]) == 0.0
    assert accuracy_at(0.8, [found[0], [Ticket(1.0, 0.9), Ticket(0.8, 0.6)]]) == pytest.approx(0.3)


def trained(*rounds: int) -> pd.DataFrame:
    """Replicates trained up to these rounds, each as accurate as its number."""
    return pd.concat(
        lane([2.0, 1.0], [0.0, replicate / 10], number, replicate)
        for replicate, last in enumerate(rounds)
        for number in range(last + 1)
    )


def test_more_replicates_than_a_trial_has_are_not_seen() -> None:
    assert tickets_of(trained(3, 3, 3), 2) == tickets_of(trained(3, 3), 2)
    assert accuracy_at(0.512, [*tickets_of(trained(3, 3, 3), 2).values()]) == pytest.approx(0.05)


def test_replicates_that_were_trained_before_wait_for_the_others() -> None:
    assert tickets_of(trained(3), 2) == {}
    behind = [*tickets_of(trained(3, 1), 2).values()]
    assert reached(behind) == 0.8
    assert rungs(0.512, behind) == pytest.approx({0: 0.05, 1: 0.05})


def test_replicates_that_ended_are_waited_for_by_none() -> None:
    assert reached([*tickets_of(trained(3, 1), 2, emptied={1}).values()]) == pytest.approx(0.512)
    diverged = pd.concat([trained(3), lane([1.0, np.nan], [0.6, np.nan], 0, replicate=1)])
    assert rungs(0.512, [*tickets_of(diverged, 2).values()])[3] == 0.0
    assert reached([*tickets_of(diverged, 2).values()]) == pytest.approx(0.512)


def test_replicates_that_end_before_the_density_count_as_0() -> None:
    assert accuracy_at(0.25, [[Ticket(1.0, 0.9), Ticket(0.5, 0.8)]]) == 0.0


def test_accuracy_is_interpolated_in_the_logarithm_of_the_density() -> None:
    of_one = [Ticket(1.0, 0.9), Ticket(0.25, 0.5)]
    assert accuracy_at(0.5, [of_one]) == pytest.approx(0.7)
    assert accuracy_at(1.0, [of_one]) == 0.9
    assert accuracy_at(0.25, [of_one]) == 0.5


def test_counts_are_whole_so_a_density_within_half_a_percent_is_reached() -> None:
    assert accuracy_at(0.2, [[Ticket(1.0, 0.9), Ticket(0.2009, 0.6)]]) == 0.6
    assert accuracy_at(0.2, [[Ticket(1.0, 0.9), Ticket(0.2011, 0.6)]]) == 0.0


def test_ladder_ends_at_the_density() -> None:
    assert ladder(0.512) == pytest.approx([1, 0.8, 0.64, 0.512])
    assert ladder(1.0) == [1.0]
    assert ladder(0.9) == pytest.approx([1, 0.9])


def test_rungs_are_those_that_a_run_has_reached() -> None:
    of_one = [Ticket(1.0, 0.9), Ticket(0.7, 0.8)]
    assert rungs(0.512, [of_one]).keys() == {0, 1}
    assert rungs(0.512, [of_one])[1] == accuracy_at(0.8, [of_one])
    assert reached([of_one]) == 0.7
    assert rungs(0.512, []) == {}


def test_hopeless_is_below_the_median_of_the_same_density() -> None:
    finished = [{0: 0.9, 1: 0.1 * number} for number in range(STARTUP)]
    assert is_hopeless({0: 0.99, 1: 0.19}, finished)  # a good dense network saves no bad ticket
    assert not is_hopeless({0: 0.1, 1: 0.2}, finished)
    assert not is_hopeless({0: 0.1}, finished)  # dense
    assert not is_hopeless({0: 0.1, 1: 0.0}, finished[1:])
    assert not is_hopeless({}, finished)
    assert not is_hopeless({2: 0.0}, finished)

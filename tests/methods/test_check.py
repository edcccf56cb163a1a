"""Methods that do not fit the rest of an experiment."""

import dataclasses

import pytest

from ltr.config.schema import Experiment, Pruning
from ltr.core.schedule import Schedule
from ltr.errors import ConfigError
from ltr.experiment import compose
from ltr.methods import checks as methods

RIGL = dataclasses.replace(compose.from_words([]), arms=("ticket", "rigl"))


def times(steps: int, later: tuple[int, int]) -> Schedule:
    return Schedule(steps, 10, 0, 19, later)


def test_early_birds_go_by_magnitude() -> None:
    for config in (Pruning(sign="same"), Pruning(criterion="movement")):
        with pytest.raises(ConfigError, match=r"^early_bird=true: needs pruning\.criterion=magnitude"):
            methods.check(Experiment(early_bird=True, pruning=config), times(400, (0, 400)))
    methods.check(Experiment(early_bird=True), times(400, (0, 400)))


@pytest.mark.parametrize(("steps", "later"), [(134, (101, 134)), (400, (300, 400)), (400, (400, 800))])
def test_connections_have_to_move(steps: int, later: tuple[int, int]) -> None:
    said = rf"^arm\.rigl\.method=rigl: .* rewind\.name .* step {later[0]} to {later[1]}; .* of steps={steps}$"
    with pytest.raises(ConfigError, match=said):
        methods.check(RIGL, times(steps, later))


@pytest.mark.parametrize(("steps", "later"), [(1, (0, 1)), (134, (100, 134)), (400, (200, 400))])
def test_connections_that_move_once(steps: int, later: tuple[int, int]) -> None:
    methods.check(RIGL, times(steps, later))

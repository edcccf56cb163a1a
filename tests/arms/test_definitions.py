"""Which arms there can be, which lanes they have in a round, and how those train."""

import dataclasses

import pytest

from ltr.arms import checks as arm_checks
from ltr.arms import lanes as arm_lanes
from ltr.config.schema import Arm, Experiment, Optimizer
from ltr.errors import ConfigError
from ltr.experiment import compose
from ltr.store.tables import LaneId

ARMS = compose.from_words([]).arm
"""Every arm of `configs/arm/`, by name."""


def test_round_0_has_tickets_alone() -> None:
    assert arm_lanes.lanes(Experiment(replicates=2), 0) == [
        LaneId(0, 0, "ticket", 0),
        LaneId(0, 1, "ticket", 0),
    ]


def test_a_later_round_has_every_arm_tickets_first() -> None:
    experiment = Experiment(
        arms=("random_reinit", "one_shot", "ticket"),
        replicates=2,
        arm={**ARMS, "random_reinit": Arm(weights="reinit", draws=2)},
    )
    assert [lane[1:] for lane in arm_lanes.lanes(experiment, 4)] == [
        (0, "ticket", 0),
        (1, "ticket", 0),
        (0, "random_reinit", 0),
        (0, "random_reinit", 1),
        (1, "random_reinit", 0),
        (1, "random_reinit", 1),
        (0, "one_shot", 0),
        (1, "one_shot", 0),
    ]


def test_15_rounds_are_16_trainings_of_the_ticket() -> None:
    experiment = Experiment(rounds=15, replicates=1)
    lanes = [
        lane
        for round_number in range(experiment.rounds + 1)
        for lane in arm_lanes.lanes(experiment, round_number)
    ]
    assert sum(lane.arm == "ticket" for lane in lanes) == 16
    assert len(lanes) == 16 + 3 * 15
    assert len(set(lanes)) == len(lanes)


@pytest.mark.parametrize(
    ("experiment", "message"),
    [
        (
            Experiment(arms=("ticket", "random_masc")),
            "arms: unknown arm random_masc; did you mean random_mask",
        ),
        (Experiment(arm={**ARMS, "one_shot": Arm(draws=2)}), "arm.one_shot.draws=2: must be 1"),
        (Experiment(arm={**ARMS, "ticket": Arm(draws=3)}), "arm.ticket.draws=3: must be 1"),
        (Experiment(arm={**ARMS, "ticket": Arm(noise=1)}), "arm.ticket.noise=1.0: cannot be changed"),
        (
            Experiment(arms=("ticket", "x"), arm={**ARMS, "x": Arm(invert=True)}),
            "arm.x.invert=true: needs a mask of found, snip, grasp",
        ),
        (
            Experiment(arm={**ARMS, "x": Arm(method="supermask", pruned="frozen")}),
            "arm.x.method=supermask: needs arm.x.weights=initial$",
        ),
        (
            Experiment(arm={**ARMS, "x": Arm(method="rigl", pruned="frozen")}),
            "arm.x.method=rigl: needs arm.x.pruned=zero",
        ),
        (
            Experiment(
                arm={**ARMS, "x": Arm(method="edge_popup", weights="initial", pruned="frozen", noise=1)}
            ),
            "arm.x.method=edge_popup: needs arm.x.noise=0.0$",
        ),
        (
            Experiment(arms=("ticket", "frozen"), arm=ARMS, optimizer=Optimizer(weight_decay=0.1)),
            "arm.frozen.pruned=frozen: needs optimizer.weight_decay=0",
        ),
    ],
)
def test_arms_that_cannot_be(experiment: Experiment, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        arm_checks.check(experiment)


def test_frozen_weights_whose_scores_are_trained_do_not_mind_weight_decay() -> None:
    decaying = Optimizer(weight_decay=0.1)
    arm_checks.check(Experiment(arms=("ticket", "supermask"), arm=ARMS, optimizer=decaying))


def test_the_ticket_alone_is_watched() -> None:
    experiment = Experiment(early_bird=True)
    assert arm_lanes.method(experiment, "ticket") == "early_bird"
    assert arm_lanes.method(experiment, "random_mask") == "weights"
    assert arm_lanes.method(Experiment(), "ticket") == "weights"
    assert set(arm_lanes.programs(experiment)) == {"weights", "early_bird"}


def test_lanes_that_train_by_one_method_can_train_at_once() -> None:
    experiment = Experiment(arms=("ticket", "random_mask", "rigl"), replicates=3, arm=ARMS)
    assert arm_lanes.widest(experiment) == 6
    assert arm_lanes.widest(dataclasses.replace(experiment, early_bird=True)) == 3
    assert arm_lanes.widest(dataclasses.replace(experiment, rounds=0)) == 3


def test_arms_that_can_be() -> None:
    arm_checks.check(Experiment(arm={**ARMS, "random_reinit": Arm(weights="reinit", draws=15)}))

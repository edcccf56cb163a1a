"""Which trainings find the mask of a lane, each counted once, and in which order a round trains."""

import pytest

from ltr.arms import checks, lanes, searches
from ltr.config.schema import Arm, Experiment, PartialDuration, Pruning
from ltr.errors import ConfigError
from ltr.experiment import compose
from ltr.store.tables import LaneId

ARMS = compose.from_words([]).arm


def experiment(*arms: str, **knobs: object) -> Experiment:
    return Experiment(arms=("ticket", *arms), arm=ARMS, **knobs)  # type: ignore[arg-type]


def lane(round_number: int, arm: str, draw: int = 0, replicate: int = 0) -> LaneId:
    return LaneId(round_number, replicate, arm, draw)


def of(arm: str, *rounds: int) -> set[LaneId]:
    return {lane(number, arm) for number in rounds}


@pytest.mark.parametrize(
    ("arm", "needed"),
    [
        ("ticket", of("ticket", 0, 1, 2, 3)),
        ("random_reinit", of("ticket", 0, 1, 2, 3)),
        ("ticket_signs", of("ticket", 0, 1, 2, 3)),
        ("one_shot", of("ticket", 0)),
        ("snip", set()),
        ("snip_reinit", set()),
        ("random_mask", set()),
        ("supermask", set()),
        ("supermask_ticket", of("supermask", 4)),
        ("supermask_inverted", of("supermask", 4)),
        ("imp_short", of("imp_short", 0, 1, 2, 3)),
        ("imp_short_ticket", of("imp_short", 0, 1, 2, 3)),
        ("imp_coarse_ticket", of("ticket", 0) | of("imp_coarse", 3)),
        ("imp_early_bird_ticket", of("imp_early_bird", 0, 1, 2, 3)),
    ],
)
def test_the_trainings_that_a_mask_needs(arm: str, needed: set[LaneId]) -> None:
    found_by = [ARMS[arm].found_by] if ARMS[arm].found_by else []
    assert searches.needed(experiment(*found_by, arm), lane(4, arm)) == needed


def test_a_layerwise_shuffle_needs_the_ticket_where_pruning_compares_layers() -> None:
    """The numbers of weights of its layers are then known only when the ticket is found."""
    comparing = experiment("random_mask", "random_mask_global", pruning=Pruning(scope="global"))
    assert searches.needed(comparing, lane(2, "random_mask")) == of("ticket", 0, 1)
    assert searches.needed(comparing, lane(2, "random_mask_global")) == set()
    assert searches.needed(experiment("snip_shuffled_by_input"), lane(2, "snip_shuffled_by_input")) == set()


def test_the_mask_of_another_replicate_needs_the_tickets_of_that_replicate() -> None:
    needed = searches.needed(experiment("crossed_1"), lane(2, "crossed_1", draw=3, replicate=4))
    assert needed == {LaneId(number, 1, "ticket", 0) for number in (0, 1)}


def test_a_draw_takes_the_mask_of_the_same_draw_of_its_search() -> None:
    arms = ARMS | {"supermask": Arm(**vars(ARMS["supermask"]) | {"draws": 2})}
    asked = Experiment(arms=("ticket", "supermask", "supermask_shuffled"), arm=arms)
    found = [searches.finder(asked, lane(1, "supermask_shuffled", draw)) for draw in range(3)]
    assert found == [lane(1, "supermask", draw) for draw in (0, 1, 0)]


def test_searches_train_first_and_those_of_other_lengths_apart() -> None:
    asked = experiment("supermask_ticket", "supermask", "imp_short", "imp_short_ticket", replicates=1)
    assert searches.stages(asked, lanes.lanes(asked, 2)) == [
        [lane(2, "imp_short")],
        [lane(2, "ticket"), lane(2, "supermask"), lane(2, "imp_short_ticket")],
        [lane(2, "supermask_ticket")],
    ]


def test_epochs_of_larger_batches_are_another_stage() -> None:
    """Two epochs of four batches a step take fewer steps than two epochs of one."""
    steps = {"search_steps": PartialDuration(2, "ep")}
    arms = ARMS | {name: Arm(**vars(ARMS[name]) | steps) for name in ("imp_short", "imp_large_batch")}
    asked = Experiment(arms=("ticket", "imp_short", "imp_large_batch"), arm=arms, replicates=1)
    assert searches.stages(asked, lanes.lanes(asked, 1)) == [
        [lane(1, "imp_short")],
        [lane(1, "imp_large_batch")],
        [lane(1, "ticket")],
    ]


def test_values_of_the_dense_network_cost_its_training() -> None:
    arms = ARMS | {"x": Arm(mask="snip", pruned="frozen_if_grown")}
    assert searches.needed(Experiment(arms=("ticket", "x"), arm=arms), lane(2, "x")) == of("ticket", 0)


@pytest.mark.parametrize(
    ("arm", "reads"),
    [("ticket", True), ("one_shot", False), ("snip", False), ("random_mask", False), ("rigl_ticket", False)],
)
def test_what_the_tickets_of_another_run_decide(arm: str, reads: bool) -> None:
    assert searches.reads_ticket(experiment("rigl", arm), lane(2, arm)) is reads


@pytest.mark.parametrize("rounds", [(3,), (2, 2), (2, 1)])
def test_rounds_of_controls_that_cannot_be(rounds: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=r"control_rounds=\[.*\]: must rise, and begin at most at rounds=2"):
        checks.check(experiment(control_rounds=rounds, rounds=2))


def test_rounds_of_controls_and_of_searches() -> None:
    asked = experiment(
        "random_mask", "imp_short", "imp_coarse", replicates=1, rounds=4, control_rounds=(2, 4)
    )
    trained = {number: {of_round.arm for of_round in lanes.lanes(asked, number)} for number in range(5)}
    assert trained == {
        0: {"ticket", "imp_short"},
        1: {"ticket", "imp_short"},
        2: {"ticket", "imp_short", "random_mask"},
        3: {"ticket", "imp_short", "imp_coarse"},
        4: {"ticket", "imp_short", "random_mask"},
    }


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ({"x": Arm(mask="snip", mask_replicate=1)}, "arm.x.mask_replicate=1: needs arm.x.mask=ticket"),
        ({"x": Arm(mask_replicate=8)}, "arm.x.mask_replicate=8: must be below replicates=8"),
        ({"x": Arm(mask="iterated", order="draw")}, "arm.x.order=draw: cannot be set with mask=iterated"),
        ({"x": Arm(mask_replicate=0, draws=2)}, "arm.x.draws=2: must be 1, every draw is the same"),
        ({"x": Arm(mask="found")}, "arm.x.found_by=null: names an arm if mask=found"),
        ({"x": Arm(found_by="snip")}, "arm.x.found_by=snip: names an arm if mask=found"),
        ({"x": Arm(mask="found", found_by="rigl")}, "arm.x.found_by=rigl: must be trained too, as in 'arms="),
        ({"x": Arm(mask="found", found_by="ticket")}, "arm.x.found_by=ticket: finds no mask"),
        (
            {"x": Arm(mask="snip", weights="reinit_trained_signs")},
            "arm.x.weights=reinit_trained_signs: needs",
        ),
        ({"x": Arm(prune_every=2)}, "arm.x.prune_every=2: needs mask=iterated"),
        ({"x": Arm(mask="iterated", noise=1.0)}, "arm.x.noise=1.0: cannot be set with mask=iterated"),
        ({"x": Arm(mask="iterated", method="rigl")}, "arm.x.method=rigl: "),
        ({"x": Arm(method="until_early_bird")}, "arm.x.method=until_early_bird: needs arm.x.mask=iterated"),
        (
            {"x": Arm(mask="found", found_by="x")},
            "arm.x.found_by=x: takes its mask from x; needs an arm that searches itself",
        ),
        (
            {
                "rigl": ARMS["rigl"],
                "x": Arm(mask="found", found_by="rigl", search_steps=PartialDuration(50, "%")),
            },
            "arm.x.search_steps=50%: no arm of arms takes its mask",
        ),
        ({"x": Arm(search_steps=PartialDuration(9))}, "arm.x.search_steps=9: no arm of arms takes its mask"),
        (
            {"rigl": ARMS["rigl"], "x": Arm(mask="found", found_by="rigl", invert=True)},
            "arm.x.invert=true: rigl finds its mask without scores",
        ),
        (
            {"rigl": ARMS["rigl"], "x": Arm(mask="found", found_by="rigl", draws=2)},
            "arm.x.draws=2: must be at most arm.rigl.draws=1",
        ),
        (
            {
                "rigl": ARMS["rigl"],
                "x": Arm(mask="found", found_by="rigl"),
                "y": Arm(mask="found", found_by="x"),
            },
            "arm.y.found_by=x: takes its mask from rigl; needs an arm that searches itself",
        ),
    ],
)
def test_searches_that_cannot_be(arms: dict[str, Arm], message: str) -> None:
    asked = Experiment(arms=("ticket", *arms), arm=ARMS | arms)
    with pytest.raises(ConfigError) as error:
        checks.check(asked)
    assert str(error.value).startswith(message)

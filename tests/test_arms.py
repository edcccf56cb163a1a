"""Each control is compared with the ticket: one that does nothing fails here."""

import itertools
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from ltr import arms, keys, masks, pruning
from ltr.arms import ARMS, Source, Ticket
from ltr.config import Arm, Experiment, Pruning
from ltr.errors import ConfigError
from ltr.experiment import start
from ltr.models import Model
from ltr.pruning.criteria import Evidence, magnitude
from ltr.pruning.targets import targets
from ltr.store.tables import LaneId

KEY = keys.fold(keys.root(0, 0), "an arm", 1, 0)
LAYERS = ("dense_1", "dense_2", "output")
OTHER_LANES = [LaneId(1, 0, "", 1), LaneId(2, 0, "", 0), LaneId(1, 1, "", 0)]
"""A draw, a round and a replicate further than `LaneId(1, 0, "", 0)`."""


def trained(params: Any, round: int) -> Any:
    """Made-up weights at the end of a round's training."""
    generator = np.random.default_rng(round)
    return jax.tree.map(lambda leaf: leaf + generator.normal(0, 0.5, leaf.shape).astype(np.float32), params)


def source_of(network: Model, params: Any, rounds: int) -> Source:
    """What the arms of a round draw on, after that many prunings of `network`."""
    dense = mask = masks.ones(params, network.kinds)

    def evidence(round: int, mask: Any) -> Evidence:
        return Evidence(params, trained(params, round), mask, KEY)

    for round, target in enumerate(targets(Pruning(), 0.3, rounds, network.kinds, params)[1:]):
        mask = pruning.prune(Pruning(), network.kinds, evidence(round, mask), target)
    ticket = Ticket(mask, masks.apply(mask, params))
    return Source(ticket, params, lambda: magnitude(evidence(0, dense)), jax.jit(network.init))


@pytest.fixture
def source(network: Model, params: Any) -> Source:
    return source_of(network, params, 3)


def kernels(tree: Any) -> list[np.ndarray]:
    return [np.asarray(tree[layer]["kernel"]) for layer in LAYERS]


def same(one: Any, other: Any) -> bool:
    return all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


def counts(mask: Any) -> list[int]:
    return [int(layer.sum()) for layer in kernels(mask)]


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_has_the_tickets_density_in_every_layer(name: str, source: Source) -> None:
    assert counts(ARMS[name].start(source, KEY).mask) == counts(source.ticket.mask)


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_starts_from_zero_where_it_is_pruned_and_from_something_elsewhere(
    name: str, source: Source
) -> None:
    mask, weights = ARMS[name].start(source, KEY)
    for kept, kernel in zip(kernels(mask), kernels(weights), strict=True):
        assert kernel.dtype == np.float32
        np.testing.assert_array_equal(kernel != 0, kept)


@pytest.mark.parametrize("name", ARMS)
def test_a_key_decides_an_arm_and_matters_to_those_that_are_drawn(name: str, source: Source) -> None:
    once = ARMS[name].start(source, KEY)
    again, other = ARMS[name].start(source, KEY), ARMS[name].start(source, jax.random.key(1))
    assert same(once, again)
    assert same(once, other) is not ARMS[name].drawn


def test_the_ticket_is_what_pruning_found(source: Source) -> None:
    assert ARMS["ticket"].start(source, KEY) is source.ticket


def test_random_reinit_keeps_the_mask_and_no_weight(source: Source) -> None:
    mask, weights = ARMS["random_reinit"].start(source, KEY)
    assert same(mask, source.ticket.mask)
    for kept, fresh, old in zip(*map(kernels, (mask, weights, source.ticket.weights)), strict=True):
        assert not np.any(fresh[kept] == old[kept])


def test_random_mask_keeps_the_weights_and_shuffles_every_layer(source: Source) -> None:
    mask, weights = ARMS["random_mask"].start(source, KEY)
    for kept, ticket in zip(kernels(mask), kernels(source.ticket.mask), strict=True):
        assert not np.array_equal(kept, ticket)
    for kept, kernel, origin in zip(*map(kernels, (mask, weights, source.origin)), strict=True):
        assert kernel.tobytes() == np.where(kept, origin, np.float32(0)).tobytes()


def test_random_mask_keeps_every_weight_equally_often(source: Source) -> None:
    """Of 18 output weights 16 are kept: with 400 draws each is kept 356 times, give or take 6.3."""
    draw = ARMS["random_mask"].start
    kept = sum(draw(source, jax.random.key(n)).mask["output"]["kernel"].astype(int) for n in range(400))
    share = counts(source.ticket.mask)[2] / 18
    assert np.abs(kept - 400 * share).max() < 5 * np.sqrt(400 * share * (1 - share))


def test_one_shot_keeps_the_largest_weights_of_the_dense_network(source: Source, params: Any) -> None:
    mask, weights = ARMS["one_shot"].start(source, KEY)
    for kept, final in zip(kernels(mask), kernels(trained(params, 0)), strict=True):
        assert np.abs(final[kept]).min() > np.abs(final[~kept]).max()
    for kept, kernel, origin in zip(*map(kernels, (mask, weights, source.origin)), strict=True):
        assert kernel.tobytes() == np.where(kept, origin, np.float32(0)).tobytes()


def test_one_shot_is_the_ticket_in_round_1_and_no_more_in_round_2(network: Model, params: Any) -> None:
    first, second = (source_of(network, params, rounds) for rounds in (1, 2))
    assert same(ARMS["one_shot"].start(first, KEY), first.ticket)
    mask = ARMS["one_shot"].start(second, KEY).mask
    for kept, ticket in zip(kernels(mask)[:2], kernels(second.ticket.mask)[:2], strict=True):
        assert not np.array_equal(kept, ticket)


def started(source: Source, lane: LaneId, seed: int = 0) -> Any:
    """What the experiment starts a lane from."""
    setup = SimpleNamespace(experiment=Experiment(seed=seed), init=source.init)
    groups = SimpleNamespace(load=lambda name, member: {"origin": source.origin})
    return start(setup, SimpleNamespace(groups=groups), lane, source.ticket)  # type: ignore[arg-type]


@pytest.mark.parametrize("arm", [name for name in ARMS if ARMS[name].drawn])
@pytest.mark.parametrize("other", OTHER_LANES)
def test_draws_rounds_and_replicates_differ(arm: str, other: LaneId, source: Source) -> None:
    first = started(source, LaneId(1, 0, arm, 0))
    assert not same(first.params, started(source, other._replace(arm=arm)).params)


@pytest.mark.parametrize("arm", [name for name in ARMS if ARMS[name].drawn])
def test_0_is_a_seed(arm: str, source: Source) -> None:
    lane = LaneId(1, 0, arm, 0)
    assert same(started(source, lane), started(source, lane))
    for one, other in itertools.combinations(range(3), 2):
        assert not same(started(source, lane, one).params, started(source, lane, other).params)


def test_the_lanes_of_a_replicate_and_round_see_the_data_in_one_order(source: Source) -> None:
    orders = {started(source, LaneId(1, 0, arm, 0)).key.tobytes() for arm in ("ticket", "random_mask")}
    others = [started(source, lane._replace(arm="ticket")).key.tobytes() for lane in OTHER_LANES[1:]]
    seeded = started(source, LaneId(1, 0, "ticket", 0), seed=1).key.tobytes()
    assert len(orders) == 1
    assert len({*orders, *others, seeded}) == 4


def test_round_0_has_tickets_alone() -> None:
    assert arms.lanes(Experiment(replicates=2), 0) == [LaneId(0, 0, "ticket", 0), LaneId(0, 1, "ticket", 0)]


def test_a_later_round_has_every_arm_tickets_first() -> None:
    experiment = Experiment(
        arms=("random_reinit", "one_shot", "ticket"), replicates=2, arm={"random_reinit": Arm(draws=2)}
    )
    assert [lane[1:] for lane in arms.lanes(experiment, 4)] == [
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
    lanes = [lane for round in range(experiment.rounds + 1) for lane in arms.lanes(experiment, round)]
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
        (Experiment(arm={"one_shoot": Arm()}), "arms: unknown arm one_shoot; did you mean one_shot"),
        (Experiment(arm={"one_shot": Arm(draws=2)}), "arm.one_shot.draws=2: must be 1"),
        (Experiment(arm={"ticket": Arm(draws=3)}), "arm.ticket.draws=3: must be 1"),
    ],
)
def test_arms_that_cannot_be(experiment: Experiment, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{message}"):
        arms.check(experiment)


def test_arms_that_can_be() -> None:
    arms.check(Experiment(arm={"random_reinit": Arm(draws=15), "random_mask": Arm(draws=2)}))

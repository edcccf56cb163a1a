"""Each control is compared with the ticket: one that does nothing fails here."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from ltr.arms import checks as arm_checks
from ltr.arms import lanes as arm_lanes
from ltr.arms import start as arm_start
from ltr.arms.context import ArmContext, Subnetwork
from ltr.arms.registry import MASKS, AtInitEntry
from ltr.config.schema import Experiment, LayerRates, Optimizer, Pruning
from ltr.core import masks, optimizers, rng
from ltr.experiment import compose
from ltr.experiment.session import Session
from ltr.methods.method import MethodContext
from ltr.methods.registry import METHODS
from ltr.models.model import Model
from ltr.pruning import at_init, sharing
from ltr.pruning import prune as pruning
from ltr.pruning.criteria import PruningInput
from ltr.pruning.prune import prunable as prunable_types
from ltr.pruning.registry import REWINDINGS
from ltr.pruning.targets import met_by, targets
from ltr.store.tables import LaneId

ARMS = compose.from_words([]).arm
"""Every arm of `configs/arm/`, by name."""

ZERO = [name for name, arm in ARMS.items() if arm.pruned == "zero"]
LAYERWISE = [
    name
    for name, arm in ARMS.items()
    if arm.shuffle in ("none", "layerwise", "by_input") and not isinstance(MASKS[arm.mask], AtInitEntry)
]
BY_DEFAULT = Pruning()
KEY = rng.fold(rng.root(0, 0), "an arm", 1, 0)
LAYERS = ("dense_1", "dense_2", "output")
OTHER_LANES = [LaneId(1, 0, "", 1), LaneId(2, 0, "", 0), LaneId(1, 1, "", 0)]
"""A draw, a round and a replicate further than `LaneId(1, 0, "", 0)`."""


def trained(params: Any, round_number: int) -> Any:
    """Made-up weights at the end of a round's training."""
    generator = np.random.default_rng(round_number)
    return jax.tree.map(lambda leaf: leaf + generator.normal(0, 0.5, leaf.shape).astype(np.float32), params)


def context_of(network: Model, params: Any, rounds: int, config: Pruning = BY_DEFAULT) -> ArmContext:
    """What the arms of a round draw on, after that many prunings of `network`."""
    dense = mask = masks.ones(params, network.layer_types)

    def evidence(round_number: int, mask: Any) -> PruningInput:
        return PruningInput(params, trained(params, round_number), mask, KEY)

    for round_number, target in enumerate(
        targets(config, 0.3, rounds, network.layer_types, network.kernels)[1:]
    ):
        mask = pruning.select(config, network.layer_types, evidence(round_number, mask), target)
    ticket = Subnetwork(mask, masks.apply(mask, params))
    initial, prunable = (
        jax.tree.map(lambda leaf: 2 * leaf, params),
        prunable_types(network.layer_types, config.rates),
    )
    return ArmContext(
        prunable,
        masks.where(prunable, network.kernels),
        ticket,
        initial,
        params,
        dense=lambda: trained(params, 0),
        mask_of=lambda replicate: searched(mask, f"{replicate}"),
        trained=lambda: trained(params, rounds - 1),
        one_shot=lambda: pruning.select(config, prunable, evidence(0, dense), met_by(config, mask)),
        searched=lambda: Subnetwork(searched(mask, ""), params),
        rewind=REWINDINGS["weights"].load(),
        init=jax.jit(network.init),
        network=lambda key: at_init.ScoringInput(network, initial, *batch(key), key, keep=masks.count(mask)),
    )


def searched(mask: Any, name: str) -> Any:
    """A made-up result of the search of that name: another mask with as many weights in each layer."""
    generator = np.random.default_rng([*name.encode()])
    return jax.tree.map(lambda layer: generator.permutation(layer.ravel()).reshape(layer.shape), mask)


@pytest.fixture(scope="module", autouse=True)
def _synflow_in_few_rounds() -> Iterator[None]:
    """As many as keep every layer, of which fewer lose one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MASKS._entries, "synflow", replace(MASKS["synflow"], rounds=20))
        yield


def batch(key: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    """Made-up images and labels."""
    return np.asarray(jax.random.normal(key, (6, 4, 4, 1))), np.arange(6, dtype=np.int32) % 3


@pytest.fixture(scope="module")
def context(network: Model, params: Any) -> ArmContext:
    return context_of(network, params, 3)


def kernels(tree: Any) -> list[np.ndarray]:
    return [np.asarray(tree[layer]["kernel"]) for layer in LAYERS]


def same(one: Any, other: Any) -> bool:
    return all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


def counts(mask: Any) -> list[int]:
    return [int(layer.sum()) for layer in kernels(mask)]


def begin(name: str, context: ArmContext, key: jax.Array = KEY) -> Subnetwork:
    """What an arm starts from."""
    arm = ARMS[name]
    found = searched(context.ticket.mask, f"{arm.found_by or name}{arm.invert}")
    return arm_start.start(
        arm, context._replace(searched=lambda: Subnetwork(found, context.rewind_params)), key
    )


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_has_the_tickets_density(name: str, context: ArmContext) -> None:
    found, expected = counts(begin(name, context).mask), counts(context.ticket.mask)
    assert sum(found) == sum(expected)
    assert name not in LAYERWISE or found == expected


@pytest.mark.parametrize("name", ZERO)
def test_every_arm_starts_from_zero_where_it_is_pruned_and_from_something_elsewhere(
    name: str, context: ArmContext
) -> None:
    mask, weights = begin(name, context)
    for kept, kernel in zip(kernels(mask), kernels(weights), strict=True):
        assert kernel.dtype == np.float32
        np.testing.assert_array_equal(kernel != 0, kept)


@pytest.mark.parametrize("name", ARMS)
def test_a_key_decides_an_arm_and_matters_to_those_that_are_drawn(name: str, context: ArmContext) -> None:
    lanes = [LaneId(1, 0, name, draw) for draw in (0, 0, 1)]
    once, again, other = (started(context, lane) for lane in lanes)
    assert same(once, again)
    assert same(once, other) is not arm_checks.is_random(ARMS[name])


def test_no_two_arms_start_from_the_same_and_train_alike(context: ArmContext) -> None:
    begun = {name: begin(name, context) for name in ARMS}
    pairs = itertools.combinations(begun, 2)
    others = (
        pair for pair in pairs if not {ARMS[name].found_by for name in pair} & {*pair}
    )  # trained longer
    alike = [pair for pair in others if same(*(begun[name] for name in pair))]
    assert [pair for pair in alike if len({ARMS[name].method for name in pair}) == 1] == []


def test_the_ticket_is_what_pruning_found(context: ArmContext) -> None:
    assert begin("ticket", context) is context.ticket


def test_random_reinit_keeps_the_mask_and_no_weight(context: ArmContext) -> None:
    mask, weights = begin("random_reinit", context)
    assert same(mask, context.ticket.mask)
    for kept, fresh, old in zip(*map(kernels, (mask, weights, context.ticket.weights)), strict=True):
        assert not np.any(fresh[kept] == old[kept])


def test_random_mask_keeps_the_weights_and_shuffles_every_layer(context: ArmContext) -> None:
    mask, weights = begin("random_mask", context)
    for kept, ticket in zip(kernels(mask), kernels(context.ticket.mask), strict=True):
        assert not np.array_equal(kept, ticket)
    for kept, kernel, rewind_params in zip(
        *map(kernels, (mask, weights, context.rewind_params)), strict=True
    ):
        assert kernel.tobytes() == np.where(kept, rewind_params, np.float32(0)).tobytes()


def test_random_mask_keeps_every_weight_equally_often(context: ArmContext) -> None:
    """Of 18 output weights 16 are kept: with 400 draws each is kept 356 times, give or take 6.3."""
    drawn = (begin("random_mask", context, jax.random.key(n)).mask for n in range(400))
    kept = sum(mask["output"]["kernel"].astype(int) for mask in drawn)
    share = counts(context.ticket.mask)[2] / 18
    assert np.abs(kept - 400 * share).max() < 5 * np.sqrt(400 * share * (1 - share))


def test_one_shot_keeps_the_largest_weights_of_the_dense_network(context: ArmContext, params: Any) -> None:
    mask, weights = begin("one_shot", context)
    for kept, final in zip(kernels(mask), kernels(trained(params, 0)), strict=True):
        assert np.abs(final[kept]).min() > np.abs(final[~kept]).max()
    for kept, kernel, rewind_params in zip(
        *map(kernels, (mask, weights, context.rewind_params)), strict=True
    ):
        assert kernel.tobytes() == np.where(kept, rewind_params, np.float32(0)).tobytes()


def test_one_shot_is_the_ticket_in_round_1_and_no_more_in_round_2(network: Model, params: Any) -> None:
    first, second = (context_of(network, params, rounds) for rounds in (1, 2))
    assert same(begin("one_shot", first), first.ticket)
    mask = begin("one_shot", second).mask
    for kept, ticket in zip(kernels(mask)[:2], kernels(second.ticket.mask)[:2], strict=True):
        assert not np.array_equal(kept, ticket)


def test_one_shot_under_global_pruning_has_one_threshold_of_its_own(network: Model, params: Any) -> None:
    context = context_of(network, params, 3, Pruning(scope="global", rates=LayerRates(output=1.0)))
    mask, final = begin("one_shot", context).mask, kernels(trained(params, 0))
    kept, pruned = (
        np.concatenate([np.abs(weights[m == on]) for m, weights in zip(kernels(mask), final, strict=True)])
        for on in (True, False)
    )
    assert kept.min() > pruned.max()
    assert sum(counts(mask)) == sum(counts(context.ticket.mask))
    assert counts(mask) != counts(context.ticket.mask), "layers need not have the ticket's densities"


def test_a_shuffle_by_input_keeps_the_connections_of_every_input_and_moves_them(context: ArmContext) -> None:
    plain, shuffled, all_over = (
        kernels(begin(name, context).mask) for name in ("snip", "snip_shuffled_by_input", "snip_shuffled")
    )
    for before, after in zip(plain, shuffled, strict=True):
        np.testing.assert_array_equal(before.sum(-1), after.sum(-1))
    assert any((before != after).any() for before, after in zip(plain, shuffled, strict=True))
    assert any((before.sum(-1) != after.sum(-1)).any() for before, after in zip(plain, all_over, strict=True))


def test_a_global_shuffle_keeps_the_density_of_the_network_alone(context: ArmContext) -> None:
    mask, _ = begin("random_mask_global", context)
    assert sum(counts(mask)) == sum(counts(context.ticket.mask))
    assert counts(mask) != counts(context.ticket.mask)


@pytest.mark.parametrize("name", ["random_mask_even", "random_mask_erk"])
def test_a_mask_drawn_anew_keeps_the_density_of_the_network_and_shares_it_by_the_rule(
    name: str, context: ArmContext
) -> None:
    mask, weights = begin(name, context)
    rule = {"random_mask_even": sharing.uniform, "random_mask_erk": sharing.erdos_renyi_kernel}[name]
    shares = rule(jax.tree.leaves(context.kernels), sum(counts(context.ticket.mask)))
    assert max(abs(share - count) for share, count in zip(shares, counts(mask), strict=True)) < 1
    assert counts(mask) != counts(context.ticket.mask)
    assert not same(mask, begin(name, context, jax.random.key(1)).mask)
    for kept, kernel, rewind_params in zip(
        *map(kernels, (mask, weights, context.rewind_params)), strict=True
    ):
        assert kernel.tobytes() == np.where(kept, rewind_params, np.float32(0)).tobytes()


@pytest.mark.parametrize("name", [name for name, arm in ARMS.items() if METHODS[arm.method].trains_scores])
def test_what_trains_scores_chooses_among_all_weights(name: str, context: ArmContext) -> None:
    mask, weights = begin(name, context)
    assert same(mask, context.ticket.mask)
    assert same(weights, context.initial if ARMS[name].weights == "initial" else context.rewind_params)


@pytest.mark.parametrize(("name", "deviations"), [("init_noise", 0.5), ("init_noise_3", 3.0)])
def test_noise_is_as_loud_as_asked_for(name: str, deviations: float, context: ArmContext) -> None:
    noise = []
    for seed in range(40):
        _, noisy = begin(name, context, jax.random.key(seed))
        for kept, new, old, initial in zip(
            *map(kernels, (context.ticket.mask, noisy, context.rewind_params, context.initial)), strict=True
        ):
            noise.append((new - old)[kept] / initial.std())
    drawn = np.concatenate(noise)
    assert drawn.std() == pytest.approx(deviations, rel=4 / np.sqrt(2 * drawn.size))
    assert drawn.mean() == pytest.approx(0, abs=4 * deviations / np.sqrt(drawn.size))


def test_reshuffled_weights_are_the_tickets_own_in_other_places(context: ArmContext) -> None:
    mask, weights = begin("reshuffled", context)
    assert same(mask, context.ticket.mask)
    for kept, new, old in zip(*map(kernels, (mask, weights, context.rewind_params)), strict=True):
        np.testing.assert_array_equal(np.sort(new[kept]), np.sort(old[kept]))
        assert np.any(new[kept] != old[kept])


def test_constants_are_one_deviation_of_the_initial_weights(context: ArmContext) -> None:
    mask, weights = begin("constant", context)
    for kept, new, initial in zip(*map(kernels, (mask, weights, context.initial)), strict=True):
        np.testing.assert_allclose(np.abs(new[kept]), initial.std(), rtol=1e-6)
        assert {-1, 1} == set(np.sign(new[kept]))


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("constant", "constant_signed"),
        ("reshuffled", "reshuffled_signed"),
        ("random_reinit", "reinit_signed"),
    ],
)
def test_signed_variants_have_the_signs_of_the_ticket_and_the_others_have_not(
    name: str, variant: str, context: ArmContext
) -> None:
    (mask, plain), (_, signed) = begin(name, context), begin(variant, context)
    for kept, bare, new, old in zip(*map(kernels, (mask, plain, signed, context.rewind_params)), strict=True):
        np.testing.assert_array_equal(np.sign(new[kept]), np.sign(old[kept]))
        assert np.any(np.sign(bare[kept]) != np.sign(old[kept]))


def test_a_new_draw_with_the_signs_of_the_trained_ticket(context: ArmContext) -> None:
    """Its magnitudes are those of the draw alone; some signs are not those that the ticket begins with."""
    (mask, signed), (_, of_initial) = (begin(name, context) for name in ("ticket_signs", "reinit_signed"))
    _, other = begin("ticket_signs", context, jax.random.key(1))
    drawn = context.init(rng.fold(KEY, "weights"))
    assert same(mask, context.ticket.mask)
    for kept, new, bare, ended, began, again in zip(
        *map(kernels, (mask, signed, drawn, context.trained(), of_initial, other)), strict=True
    ):
        np.testing.assert_array_equal(new, np.where(kept, np.copysign(bare, ended), 0))
        assert np.any(np.sign(new[kept]) != np.sign(began[kept]))
        assert np.any(new[kept] != again[kept])


def test_frozen_weights_are_the_initial_ones_where_the_ticket_has_zeros(context: ArmContext) -> None:
    mask, weights = begin("frozen", context)
    for kept, new, old, initial in zip(
        *map(kernels, (mask, weights, context.rewind_params, context.initial)), strict=True
    ):
        np.testing.assert_array_equal(new, np.where(kept, old, initial))


def test_what_training_made_smaller_is_not_frozen_but_zero(context: ArmContext) -> None:
    mask, weights = begin("frozen_if_grown", context)
    for kept, new, initial, dense in zip(
        *map(kernels, (mask, weights, context.initial, context.dense())), strict=True
    ):
        shrunk = np.abs(initial) > np.abs(dense)
        assert not new[~kept & shrunk].any()
        np.testing.assert_array_equal(new[~kept & ~shrunk], initial[~kept & ~shrunk])
    assert any((~kept & (new == 0)).any() for kept, new in zip(kernels(mask), kernels(weights), strict=True))


def started(context: ArmContext, lane: LaneId, seed: int = 0, pruning: Pruning = BY_DEFAULT) -> Any:
    """What the experiment starts a lane from."""
    model = context.network(KEY).model
    method_context = MethodContext(model, optimizers.build(Optimizer(), 1, 1), 1, 1)
    experiment = Experiment(seed=seed, arm=ARMS, arms=tuple(ARMS), pruning=pruning)
    spec = SimpleNamespace(
        experiment=experiment,
        model=model,
        targets=[met_by(pruning, context.ticket.mask)] * 3,
        span=lambda lane: (0, 1),
    )
    runtime = SimpleNamespace(
        spec=spec,
        init=context.init,
        sample_batch=batch,
        prunable=prunable_types(model.layer_types, pruning.rates),
        trainer=SimpleNamespace(
            methods={
                name: METHODS[program.method].load()(method_context)
                for name, program in arm_lanes.programs(experiment).items()
            }
        ),
    )
    saved = {
        "initial": context.initial,
        "origin": context.rewind_params,
        "trained": context.dense(),
        "mask": jax.tree.map(np.ones_like, context.ticket.mask),
    }
    groups = SimpleNamespace(load=lambda name, member: saved)
    searches = SimpleNamespace(
        load=lambda name, member: (
            saved | {part: searched(context.ticket.mask, part + name) for part in ("mask", "inverted")}
        )
    )
    session = Session(runtime, SimpleNamespace(groups=groups, searches=searches))  # type: ignore[arg-type]
    others = {replicate: Subnetwork(context.mask_of(replicate), context.initial) for replicate in (0, 1)}
    return session.initial_state(lane, others | {lane.replicate: context.ticket})


RANDOM = [name for name, arm in ARMS.items() if arm_checks.is_random(arm) and arm.order == "replicate"]
"""Arms whose draws start from different weights or masks."""


@pytest.mark.parametrize("arm", RANDOM)
@pytest.mark.parametrize("other", OTHER_LANES)
def test_draws_rounds_and_replicates_differ(arm: str, other: LaneId, context: ArmContext) -> None:
    first, second = (started(context, lane) for lane in (LaneId(1, 0, arm, 0), other._replace(arm=arm)))
    assert not same((first.params, first.method_state), (second.params, second.method_state))


@pytest.mark.parametrize("arm", RANDOM)
def test_0_is_a_seed(arm: str, context: ArmContext) -> None:
    lane = LaneId(1, 0, arm, 0)
    assert same(started(context, lane), started(context, lane))
    for one, other in itertools.combinations(range(3), 2):
        first, second = (started(context, lane, seed) for seed in (one, other))
        assert not same((first.params, first.method_state), (second.params, second.method_state))


def test_the_lanes_of_a_replicate_and_round_see_the_data_in_one_order(context: ArmContext) -> None:
    orders = {started(context, LaneId(1, 0, arm, 0)).key.tobytes() for arm in ("ticket", "random_mask")}
    others = [started(context, lane._replace(arm="ticket")).key.tobytes() for lane in OTHER_LANES[1:]]
    seeded = started(context, LaneId(1, 0, "ticket", 0), seed=1).key.tobytes()
    assert len(orders) == 1
    assert len({*orders, *others, seeded}) == 4


def test_replicates_share_the_data_orders_of_draws_and_draws_rounds_and_seeds_do_not(
    context: ArmContext,
) -> None:
    def order(lane: LaneId, seed: int = 0) -> bytes:
        return bytes(started(context, lane, seed).key.tobytes())

    lane = LaneId(1, 0, "crossed_0", 0)
    alike = [lane, lane._replace(replicate=1), lane._replace(replicate=7), lane._replace(arm="crossed_1")]
    others = [lane._replace(draw=1), lane._replace(round=2), lane._replace(arm="ticket")]
    assert len(set(map(order, alike))) == 1
    assert len({order(lane), *map(order, others), order(lane, seed=1)}) == 5
    assert len({order(one._replace(arm="ticket")) for one in alike[:3]}) == 3


@pytest.mark.parametrize(("name", "replicate"), [("crossed_0", 0), ("crossed_1", 1)])
def test_a_crossed_arm_has_the_mask_of_one_replicate_and_the_weights_of_its_own(
    name: str, replicate: int, context: ArmContext
) -> None:
    mask, weights = begin(name, context)
    assert same(mask, context.mask_of(replicate))
    assert not same(mask, context.ticket.mask)
    assert same(weights, masks.apply(mask, context.rewind_params))


@pytest.mark.parametrize("name", ARMS)
def test_in_every_arm_layers_that_are_never_pruned_are_not(name: str, network: Model, params: Any) -> None:
    """The output layer is spared; everything together has the ticket's density."""
    spared = Pruning(rates=LayerRates(output=0))
    context = context_of(network, params, 3, spared)
    found = started(context, LaneId(1, 0, name, 0), pruning=spared).mask
    assert counts(found)[2] == counts(context.ticket.mask)[2] == 18
    assert sum(counts(found)) == sum(counts(context.ticket.mask))

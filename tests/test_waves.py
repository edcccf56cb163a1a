from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr import devices, kernels, masks, optimizers, pruning, training, waves
from ltr.config import Duration, Optimizer, Pruning
from ltr.data import Dataset
from ltr.devices import Placement
from ltr.errors import LtrError
from ltr.methods import METHODS, WATCHED, Beginning, Method, Parts, rigl
from ltr.models import Model
from ltr.optimizers import Optimizer as Built
from ltr.packing import NO_LAYER, Layers
from ltr.pruning.criteria import Evidence
from ltr.pruning.targets import targets
from ltr.store.tables import LaneId
from ltr.training import LEGS
from ltr.waves import Outcome, Progress, Snapshot, Start, Trainer

Run = Callable[..., Any]
AT = np.array([0, 3, 6, 9, 12, 14], np.int32)
ADAM = Optimizer(learning_rate=0.01, schedule="cosine", warmup=Duration(3))
EVERY = {"dense_1": 1.0, "dense_2": 1.0, "output": 1.0}
"""Layers that train packed at any density."""

LANES = [LaneId(1, 0, "ticket", 0), LaneId(1, 1, "ticket", 0), LaneId(1, 0, "random_reinit", 0)]
"""One more than there are devices."""


def ignore(progress: Progress) -> None:
    """Looks on, and does nothing."""


@pytest.fixture(scope="module")
def make(network: Model, blobs: Dataset) -> Callable[..., Trainer]:
    """A trainer of `network` on `blobs`, in batches of 10: 4 steps an epoch."""

    def trainer(
        config: Optimizer = ADAM,
        lanes_per_device: int = 1,
        wrap: Callable[[Run], Run] = lambda f: f,
        method: str = "weights",
        packed: Layers = NO_LAYER,
    ) -> Trainer:
        optimizer: Built = optimizers.build(config, 14, 4)
        placement = Placement(tuple(jax.devices()), lanes_per_device)
        built = (METHODS | WATCHED)[method](Parts(network, optimizer, 14, 4))
        program = training.program(network, built, 10)
        programs = {method: program._replace(run=wrap(program.run))}
        return Trainer(programs, optimizer, training.examples(blobs), placement, packed)

    return trainer


@pytest.fixture(scope="module")
def trainer(make: Callable[..., Trainer]) -> Trainer:
    return make()


@pytest.fixture(scope="module")
def packing(make: Callable[..., Trainer]) -> Trainer:
    """One that packs every layer."""
    return make(packed=EVERY)


@pytest.fixture(scope="module")
def starts(params: Any, mask: Any) -> dict[LaneId, Start]:
    """Three lanes of different weights and data orders."""
    return {
        lane: Start(
            jax.tree.map(lambda leaf, n=n: np.asarray(leaf * (1 + n)), masks.apply(mask, params)),
            mask,
            np.array([0, n], np.uint32),
        )
        for n, lane in enumerate(LANES)
    }


def begin(method: Method, name: str, start: Start) -> Start:
    """The start of a lane by another method, its next mask half of this."""
    target = jax.tree.map(lambda layer: int(layer.sum()) // 2, start.mask)
    params, memory = method.begin(Beginning(start.mask, start.params, jax.random.key(1), target))
    return Start(params, start.mask, start.key, memory, name)


@pytest.fixture
def visited_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waves, "VISIT_SECONDS", 0.0)


def identical(one: Outcome, other: Outcome) -> bool:
    """Whether weights and metrics agree bit for bit, NaN included."""
    pairs = zip(*(jax.tree.leaves(outcome[:3]) for outcome in (one, other)), strict=True)
    return all(np.asarray(a).tobytes() == np.asarray(b).tobytes() for a, b in pairs)


def test_a_lane_does_not_depend_on_who_shares_its_wave(trainer: Trainer, starts: Any) -> None:
    together = trainer.train(starts, AT, ignore)
    backwards = trainer.train(dict(reversed(starts.items())), AT, ignore)
    assert list(together) == LANES
    for lane in LANES:
        alone = trainer.train({lane: starts[lane]}, AT, ignore)[lane]
        assert identical(together[lane], alone)
        assert identical(together[lane], backwards[lane])


def test_different_lanes_end_differently_and_equal_ones_alike(trainer: Trainer, starts: Any) -> None:
    first, second = LANES[:2]
    twins = trainer.train({first: starts[first], second: starts[first]}, AT, ignore)
    apart = trainer.train({first: starts[first], second: starts[second]}, AT, ignore)
    assert identical(twins[first], twins[second])
    assert not identical(apart[first], apart[second])


def test_where_the_host_visits_changes_no_number(
    trainer: Trainer, starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes, visits = [], []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(waves, "VISIT_SECONDS", seconds)
        seen: list[int] = []
        outcomes.append(trainer.train(starts, AT, lambda progress, to=seen: to.append(progress.steps)))
        visits.append(seen)
    assert visits == [[2] * 14 + [1] * 14, [2, 16, 10, 14]]
    assert all(identical(outcomes[0][lane], outcomes[1][lane]) for lane in LANES)


def test_more_evaluations_than_fit_into_a_visit(
    trainer: Trainer, starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waves, "VISIT_SECONDS", 1e9)
    at = np.resize(AT[:1], LEGS + 9)
    at[-1] = 14
    outcome = trainer.train({LANES[0]: starts[LANES[0]]}, at, ignore)[LANES[0]]
    assert len(outcome.metrics.val_loss) == LEGS + 9
    assert len(set(outcome.metrics.val_loss[:-1])) == 1


@pytest.mark.usefixtures("visited_at_every_step")
def test_a_visit_sees_who_trains_how_far_and_how_well(trainer: Trainer, starts: Any) -> None:
    seen: list[Progress] = []
    outcomes = trainer.train(starts, AT, seen.append)
    assert [tuple(progress.names) for progress in seen] == [tuple(LANES[:2])] * 14 + [tuple(LANES[2:])] * 14
    assert sum(progress.steps for progress in seen) == 3 * 14
    pair = np.stack([outcomes[lane].metrics.val_accuracy for lane in LANES[:2]]).mean(0)
    latest = np.searchsorted(AT, range(1, 15), side="right") - 1
    assert [progress.accuracy for progress in seen[:14]] == pytest.approx(pair[latest].tolist())
    assert all(outcome.seconds > 0 for outcome in outcomes.values())


@pytest.mark.usefixtures("visited_at_every_step")
def test_a_snapshot_of_any_visit_resumes_bit_for_bit(trainer: Trainer, starts: Any) -> None:
    snapshots: list[Snapshot] = []
    whole = trainer.train(starts, AT, lambda progress: snapshots.append(progress.snapshot()))
    steps_left = []
    for snapshot in snapshots:
        seen: list[int] = []
        resumed = trainer.train(starts, AT, lambda progress, to=seen: to.append(progress.steps), snapshot)
        assert all(identical(whole[lane], resumed[lane]) for lane in LANES)
        steps_left.append(sum(seen))
    assert steps_left == [*range(40, 14, -2), *range(14, -1, -1)]


@pytest.mark.usefixtures("visited_at_every_step")
def test_a_snapshot_of_other_lanes_is_ignored(trainer: Trainer, starts: Any) -> None:
    snapshots: list[Snapshot] = []
    whole = trainer.train(starts, AT, lambda progress: snapshots.append(progress.snapshot()))
    asked = {LANES[1]: starts[LANES[1]]}
    for snapshot in (snapshots[7], snapshots[-1]):
        resumed = trainer.train(asked, AT, ignore, snapshot)
        assert list(resumed) == [LANES[1]]
        assert identical(resumed[LANES[1]], whole[LANES[1]])


def test_what_a_visit_raises_ends_the_training(trainer: Trainer, starts: Any) -> None:
    def stop(progress: Progress) -> None:
        raise LtrError("enough")

    with pytest.raises(LtrError, match="enough"):
        trainer.train(starts, AT, stop)


def test_a_loss_that_is_not_finite_names_lane_and_step(trainer: Trainer, starts: Any) -> None:
    broken = starts[LANES[1]]._replace(params=jax.tree.map(np.copy, starts[LANES[1]].params))
    broken.params["dense_1"]["bias"][0] = np.nan
    with pytest.raises(LtrError, match=r"^round 1, replicate 1, ticket, draw 0: .* finite at step 0; lower"):
        trainer.train(starts | {LANES[1]: broken}, AT, ignore)


def test_a_loss_that_diverges_names_the_step_where_it_is_found(
    make: Callable[..., Trainer], starts: Any
) -> None:
    wild = make(Optimizer(name="sgd", learning_rate=1e30))
    with pytest.raises(LtrError, match=r"finite at step 3; lower optimizer.learning_rate$"):
        wild.train(starts, AT, ignore)


@pytest.mark.parametrize(
    "name",
    [
        name if name == "weights" else pytest.param(name, marks=pytest.mark.slow)
        for name in [*METHODS, *WATCHED]
    ],
)
def test_side_by_side_on_a_device_lanes_train_alike(
    name: str, make: Callable[..., Trainer], starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rigl, "EVERY", 4)
    trainer, other = make(method=name), make(method=name, lanes_per_device=2)
    begun = {lane: begin(trainer.methods[name], name, start) for lane, start in starts.items()}
    one_by_one, side_by_side = (each.train(begun, AT, ignore) for each in (trainer, other))
    for lane in LANES:
        for one, other in zip(
            *(jax.tree.leaves(o[lane][:3]) for o in (one_by_one, side_by_side)), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_training_rewound_with_all_its_weights_repeats_itself(
    make: Callable[..., Trainer], network: Model, params: Any
) -> None:
    """From step 6 on: the same learning rates, the same data. SGD has no moments to lose."""
    sgd = make(Optimizer(name="sgd", learning_rate=0.1, schedule="cosine", warmup=Duration(10)))
    start = Start(params, masks.ones(params, network.kinds), np.array([0, 9], np.uint32))
    whole = sgd.train({"lane": start}, AT, ignore)["lane"]
    origin = sgd.train({"lane": start}, AT[:3], ignore)["lane"].params
    rewound = sgd.train({"lane": start._replace(params=origin)}, AT[2:], ignore)["lane"]
    jax.tree.map(np.testing.assert_array_equal, rewound.params, whole.params)
    np.testing.assert_array_equal(rewound.metrics.val_loss, whole.metrics.val_loss[2:])


def counted(traces: list[Any]) -> Callable[[Run], Run]:
    """Wraps a program so that each of its traces is noted."""

    def wrap(program: Run) -> Run:
        def run(*arguments: Any) -> Any:
            traces.append(arguments)
            return program(*arguments)

        return run

    return wrap


def test_the_program_is_traced_once_for_all_rounds(
    make: Callable[..., Trainer], network: Model, params: Any
) -> None:
    traces: list[Any] = []
    trainer = make(wrap=counted(traces))
    mask, weights = masks.ones(params, network.kinds), params
    counts = targets(Pruning(), 0.3, 4, network.kinds, params)
    for round in range(4):
        at = AT[2:] if round else AT
        lanes = {
            lane: Start(
                jax.tree.map(np.asarray, masks.apply(mask, params)), mask, np.array([0, n], np.uint32)
            )
            for n, lane in enumerate(LANES[: 1 + round % 3])
        }
        outcomes = trainer.train(lanes, at, ignore)
        weights = outcomes[LANES[0]].params
        evidence = Evidence(params, weights, mask, jax.random.key(0))
        mask = pruning.prune(Pruning(), network.kinds, evidence, counts[round + 1])
    assert masks.density(mask) < 0.3
    assert len(traces) == 1


@pytest.mark.usefixtures("visited_at_every_step")
def test_nothing_is_compiled_after_the_first_visit(
    make: Callable[..., Trainer], starts: Any, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = make()
    with jax.log_compiles():
        trainer.train(starts, AT[:1], ignore)
        assert "Compiling" in caplog.text
        caplog.clear()
        trainer.train(starts, AT, ignore)
    assert "Compiling" not in caplog.text


def test_the_program_moves_nothing_to_the_devices_and_takes_over_the_lanes_it_is_given(
    make: Callable[..., Trainer], starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_away = []

    def guarded(function: Callable[..., Any], placement: Placement, donate: tuple[int, ...]) -> Any:
        compiled = parallel(function, placement, donate)

        def call(*arguments: Any) -> Any:
            with jax.transfer_guard("disallow"):
                results = compiled(*arguments)
            given_away.append([leaf.is_deleted() for leaf in jax.tree.leaves(arguments[0])])
            return results

        return call

    parallel = devices.parallel
    monkeypatch.setattr(devices, "parallel", guarded)
    make().train(starts, AT, ignore)
    assert given_away
    assert all(all(leaves) for leaves in given_away)


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
class TestPackedLanes:
    """In training they are the lanes that they were, up to the order of summation."""

    @pytest.mark.parametrize(
        "name", ["adam", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sgd", "momentum"))]
    )
    def test_curves_weights_and_the_next_mask_are_those_of_masked_lanes(
        self, name: str, make: Callable[..., Trainer], starts: Any, network: Model
    ) -> None:
        """To a relative 1e-4 for curves over 200 steps, 1e-3 for weights after them."""
        config, at = Optimizer(name=name, learning_rate=0.003), np.arange(0, 201, 5, dtype=np.int32)
        masked, packed = (
            make(config, packed=layers).train(starts, at, ignore) for layers in (NO_LAYER, EVERY)
        )
        for lane in LANES:
            one, other = masked[lane], packed[lane]
            for curve, same in zip(one.metrics, other.metrics, strict=True):
                np.testing.assert_allclose(curve, same, rtol=1e-4, atol=1e-5)
            for weight, same in zip(*map(jax.tree.leaves, (one.params, other.params)), strict=True):
                np.testing.assert_allclose(weight, same, rtol=1e-3, atol=1e-4)
            assert other.density == one.density
            following = [
                pruning.prune(
                    Pruning(),
                    network.kinds,
                    Evidence(starts[lane].params, outcome.params, starts[lane].mask, jax.random.key(0)),
                    jax.tree.map(lambda kept: int(kept.sum()) // 2, starts[lane].mask),
                )
                for outcome in (one, other)
            ]
            jax.tree.map(np.testing.assert_array_equal, *following)

    @pytest.mark.usefixtures("visited_at_every_step")
    def test_a_snapshot_is_that_of_a_lane_unpacked_and_resumes_bit_for_bit(
        self, packing: Trainer, starts: Any
    ) -> None:
        snapshots: list[Snapshot] = []
        whole = packing.train(starts, AT, lambda progress: snapshots.append(progress.snapshot()))
        wave = snapshots[5].wave
        assert wave is not None
        assert jax.tree.structure(wave.lanes[0]) == jax.tree.structure(packing.fresh(starts[LANES[0]]))
        for snapshot in (snapshots[5], snapshots[20]):
            resumed = packing.train(starts, AT, ignore, snapshot)
            assert all(identical(whole[lane], resumed[lane]) for lane in LANES)

    def test_room_that_another_lane_needs_changes_no_number(
        self, packing: Trainer, starts: Any, network: Model, params: Any
    ) -> None:
        lane = LANES[0]
        whole = Start(params, masks.ones(params, network.kinds), starts[lane].key)
        alone = packing.train({lane: starts[lane]}, AT, ignore)
        roomy = packing.train({lane: starts[lane], LANES[1]: whole}, AT, ignore)
        assert identical(alone[lane], roomy[lane])

    def test_lanes_that_pack_other_layers_wait_for_the_next_wave(
        self, packing: Trainer, starts: Any, params: Any
    ) -> None:
        frozen = starts[LANES[1]]._replace(params=jax.tree.map(np.asarray, params))
        seen: list[tuple[Any, ...]] = []
        outcomes = packing.train(
            starts | {LANES[1]: frozen}, AT, lambda progress: seen.append(tuple(progress.names))
        )
        assert set(seen) == {(LANES[0], LANES[2]), (LANES[1],)}
        assert list(outcomes) == [LANES[0], LANES[2], LANES[1]]
        pruned = ~starts[LANES[1]].mask["dense_1"]["kernel"]
        kernels = outcomes[LANES[1]].params["dense_1"]["kernel"], params["dense_1"]["kernel"]
        np.testing.assert_array_equal(*(kernel[pruned] for kernel in kernels))

    def test_lanes_that_pack_other_layers_fill_a_wave(
        self, packing: Trainer, starts: Any, params: Any
    ) -> None:
        frozen = starts[LANES[1]]._replace(params=jax.tree.map(np.asarray, params))
        seen: list[tuple[Any, ...]] = []
        packing.train(
            {LANES[0]: starts[LANES[0]], LANES[1]: frozen},
            AT,
            lambda progress: seen.append(tuple(progress.names)),
        )
        assert set(seen) == {(LANES[0], LANES[1])}

    @pytest.mark.slow
    def test_side_by_side_on_a_device_they_train_alike(
        self, make: Callable[..., Trainer], packing: Trainer, starts: Any
    ) -> None:
        both = packing, make(lanes_per_device=2, packed=EVERY)
        one_by_one, side_by_side = (trainer.train(starts, AT, ignore) for trainer in both)
        for lane in LANES:
            for one, other in zip(
                *(jax.tree.leaves(o[lane].params) for o in (one_by_one, side_by_side)), strict=True
            ):
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)

    def test_rounds_of_similar_density_share_a_program(
        self, make: Callable[..., Trainer], network: Model, params: Any
    ) -> None:
        traces: list[Any] = []
        trainer = make(packed=EVERY, wrap=counted(traces))
        for density in (0.48, 0.4, 0.3, 0.2, 0.17):
            mask = jax.tree.map(
                lambda kept, density=density: np.arange(kept.size).reshape(kept.shape) < density * kept.size,
                masks.ones(params, network.kinds),
            )
            start = Start(
                jax.tree.map(np.asarray, masks.apply(mask, params)), mask, np.array([0, 1], np.uint32)
            )
            trainer.train({LANES[0]: start}, AT[:2], ignore)
        assert len(traces) == 2

"""Packed lanes: in training the lanes that they were, up to the order of summation."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

from ltr import kernels
from ltr.config.schema import Optimizer, Pruning
from ltr.core import masks
from ltr.data.augmentation import Augmentation, crop_flip, none
from ltr.engine import capacity as capacity_module
from ltr.engine.packing import NO_LAYER, Layers
from ltr.engine.trainer import InitialState, Snapshot, Trainer
from ltr.models.model import Model
from ltr.pruning import prune as pruning
from ltr.pruning.criteria import PruningInput
from tests.engine.lanes import AT, EVERY, LANES, counted, identical, ignore
from tests.marks import slow


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
class TestPackedLanes:
    """In training they are the lanes that they were, up to the order of summation."""

    @pytest.fixture(autouse=True)
    def _rooms_as_tight_as_the_network_is_small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(capacity_module, "MULTIPLE", 1)

    @pytest.mark.parametrize(
        ("config", "augment"),
        [
            (Optimizer(learning_rate=0.003, weight_decay=0.1, decayed="kernels", clip=0.5), none),
            slow(Optimizer(learning_rate=0.003), crop_flip),
            *(slow(Optimizer(name=name, learning_rate=0.003), none) for name in ("sgd", "momentum")),
        ],
    )
    def test_curves_weights_and_the_next_mask_are_those_of_masked_lanes(
        self,
        config: Optimizer,
        augment: Augmentation,
        make: Callable[..., Trainer],
        starts: Any,
        network: Model,
    ) -> None:
        """To a relative 1e-4 for curves over 200 steps, 1e-3 for weights after them."""
        at = np.arange(0, 201, 5, dtype=np.int32)
        masked, packed = (
            make(config, packed=layers, augment=augment).train(starts, at, ignore)
            for layers in (NO_LAYER, EVERY)
        )
        for lane in LANES:
            one, other = masked[lane], packed[lane]
            for curve, same in zip(one.metrics, other.metrics, strict=True):
                np.testing.assert_allclose(curve, same, rtol=1e-4, atol=1e-5)
            for weight, same in zip(*map(jax.tree.leaves, (one.params, other.params)), strict=True):
                np.testing.assert_allclose(weight, same, rtol=1e-3, atol=1e-4)
            assert other.density == one.density
            following = [
                pruning.select(
                    Pruning(),
                    network.layer_types,
                    PruningInput(starts[lane].params, outcome.params, starts[lane].mask, jax.random.key(0)),
                    jax.tree.map(lambda kept: int(kept.sum()) // 2, starts[lane].mask),
                )
                for outcome in (one, other)
            ]
            jax.tree.map(np.testing.assert_array_equal, *following)

    def test_their_program_compiles_ahead(self, make: Callable[..., Trainer], starts: Any) -> None:
        """That of other weights, of which each layer keeps as many."""
        lowered: list[Any] = []
        packing = make(packed=EVERY, wrap=counted(lowered))
        mask = jax.tree.map(
            lambda kept: np.arange(kept.size).reshape(kept.shape) < kept.sum(), starts[LANES[0]].mask
        )
        params = jax.tree.map(np.zeros_like, starts[LANES[0]].params)
        packing.compile_ahead(lambda: InitialState(params, mask, starts[LANES[0]].key))
        packing._background.shutdown(wait=True)
        assert len(lowered) == 1
        packing.train(starts, AT, ignore)
        assert len(lowered) == 1

    def test_layers_are_chosen_once_before_the_first_sparse_lane(
        self, make: Callable[..., Trainer], packing: Trainer, starts: Any, network: Model, params: Any
    ) -> None:
        chosen: list[Layers] = []

        def choose() -> Layers:
            chosen.append(EVERY)
            return EVERY

        trainer = make(choose=choose)
        dense = InitialState(params, masks.ones(params, network.layer_types), starts[LANES[0]].key)
        trainer.train({LANES[0]: dense}, AT[:2], ignore)
        assert (chosen, trainer.packed) == ([], NO_LAYER)
        found = trainer.train(starts, AT, ignore)
        trainer.choose_packed()
        assert (chosen, trainer.packed) == ([EVERY], EVERY)
        expected = packing.train(starts, AT, ignore)
        assert all(identical(found[lane], expected[lane]) for lane in LANES)

    @pytest.mark.usefixtures("visited_at_every_step")
    def test_a_snapshot_is_that_of_a_lane_unpacked_and_resumes_bit_for_bit(
        self, packing: Trainer, starts: Any
    ) -> None:
        snapshots: list[Snapshot] = []
        whole = packing.train(starts, AT, lambda progress: snapshots.append(progress.snapshot()))
        batch = snapshots[5].batch
        assert batch is not None
        assert jax.tree.structure(batch.lanes[0]) == jax.tree.structure(packing.new_lane(starts[LANES[0]]))
        for snapshot in (snapshots[5], snapshots[20]):
            resumed = packing.train(starts, AT, ignore, snapshot)
            assert all(identical(whole[lane], resumed[lane]) for lane in LANES)

    def test_room_that_another_lane_needs_changes_no_number(
        self, packing: Trainer, starts: Any, network: Model, params: Any
    ) -> None:
        lane = LANES[0]
        whole = InitialState(params, masks.ones(params, network.layer_types), starts[lane].key)
        assert all(
            capacity_module.capacity(int(kept.sum()), kept.size) < kept.size
            for kept in jax.tree.leaves(starts[lane].mask)
        )
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
        for density in (0.5, 0.4, 0.33, 0.25, 0.2):
            mask = jax.tree.map(
                lambda kept, density=density: np.arange(kept.size).reshape(kept.shape) < density * kept.size,
                masks.ones(params, network.layer_types),
            )
            start = InitialState(
                jax.tree.map(np.asarray, masks.apply(mask, params)), mask, np.array([0, 1], np.uint32)
            )
            trainer.train({LANES[0]: start}, AT[:2], ignore)
        assert len(traces) == 2

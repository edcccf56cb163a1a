"""Lanes with fused dense layers: in training the lanes that they were, up to the order of summation."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import kernels
from ltr.config.schema import Optimizer
from ltr.core.shares import Shares
from ltr.data.augmentation import Augmentation, crop_flip, none
from ltr.engine.packing import NO_LAYER, Layers
from ltr.engine.trainer import Snapshot, Trainer
from ltr.store.tables import LaneId
from tests.engine.lanes import ADAM, AT, EVERY, LANES, begin, identical, ignore
from tests.marks import slow

pytestmark = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")

FUSED = ("dense_1", "dense_2", "output")
FIRST_PACKED = {"dense_1": 1.0}


@pytest.fixture(scope="module")
def fusing(make: Callable[..., Trainer]) -> Trainer:
    """One that fuses every layer."""
    return make(fused=FUSED)


@pytest.mark.parametrize(
    ("augment", "packed"),
    [slow(none, NO_LAYER), slow(crop_flip, NO_LAYER), slow(none, FIRST_PACKED), (none, EVERY)],
)
def test_curves_and_weights_are_those_of_lanes_by_xla(
    augment: Augmentation, packed: Layers, make: Callable[..., Trainer], starts: Any
) -> None:
    config, at = Optimizer(learning_rate=0.003), np.arange(0, 101, 5, dtype=np.int32)
    apart, fused = (
        make(config, packed=packed, augment=augment, fused=layers).train(starts, at, ignore)
        for layers in ((), FUSED)
    )
    for lane in LANES:
        one, other = apart[lane], fused[lane]
        for curve, same in zip(one.metrics, other.metrics, strict=True):
            np.testing.assert_allclose(curve, same, rtol=1e-4, atol=1e-5)
        for name in FUSED:
            for part, weight in one.params[name].items():
                np.testing.assert_allclose(weight, other.params[name][part], rtol=1e-3, atol=1e-4)


def distance(one: Any, other: Any) -> float:
    """The largest difference of weights, relative to the largest weight of a layer."""
    pairs = [*zip(*(jax.tree.leaves(outcome.params) for outcome in (one, other)), strict=True)]
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


@pytest.mark.parametrize("config", [ADAM, slow(Optimizer("sgd", learning_rate=0.1, momentum=0.9))])
def test_devices_that_share_batches_gather_the_factors(
    config: Optimizer, make: Callable[..., Trainer], starts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = make(config, fused=FUSED).train(starts, AT, ignore)
    shared = make(config, fused=FUSED, splits_batches=True).train(starts, AT, ignore)
    assert max(distance(alone[lane], shared[lane]) for lane in LANES) < 1e-4
    monkeypatch.setattr(Shares, "gather", lambda shares, share: jnp.concatenate([share] * shares.count))
    wrong = make(config, fused=FUSED, splits_batches=True).train(starts, AT, ignore)
    assert min(distance(alone[lane], wrong[lane]) for lane in LANES) > 1e-2


@pytest.mark.usefixtures("visited_at_every_step")
def test_a_snapshot_resumes_bit_for_bit(fusing: Trainer, starts: Any) -> None:
    snapshots: list[Snapshot] = []
    whole = fusing.train(starts, AT, lambda progress: snapshots.append(progress.snapshot()))
    resumed = fusing.train(starts, AT, ignore, snapshots[5])
    assert all(identical(resumed[lane], whole[lane]) for lane in LANES)
    again = fusing.train(starts, AT, ignore)
    assert all(identical(again[lane], whole[lane]) for lane in LANES)


def test_a_lane_is_the_same_alone_and_beside_others(fusing: Trainer, starts: Any) -> None:
    together = fusing.train(starts, AT, ignore)
    for lane in LANES:
        alone: dict[LaneId, Any] = fusing.train({lane: starts[lane]}, AT, ignore)
        assert identical(alone[lane], together[lane])


@pytest.mark.parametrize(
    "method", ["supermask", slow("edge_popup"), slow("gem_miner"), slow("concrete_kl"), slow("gradual")]
)
def test_methods_of_fused_layers_train_as_without(
    method: str, make: Callable[..., Trainer], starts: Any
) -> None:
    """They differ by roundings, of which an exact choice among scores may make another weight."""
    apart, fused = (make(ADAM, method=method, fused=layers) for layers in ((), FUSED))
    lanes = {lane: begin(apart.methods[method], method, start) for lane, start in starts.items()}
    found, expected = (trainer.train(lanes, AT, ignore) for trainer in (fused, apart))
    for lane in LANES:
        for one, other in zip(*(jax.tree.leaves(o[lane][:3]) for o in (found, expected)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", [slow("rigl")])
def test_methods_that_need_the_gradients_get_them(
    method: str, make: Callable[..., Trainer], starts: Any
) -> None:
    apart, fused = (make(ADAM, method=method, fused=layers) for layers in ((), FUSED))
    lanes = {lane: begin(apart.methods[method], method, start) for lane, start in starts.items()}
    found, expected = (trainer.train(lanes, AT, ignore) for trainer in (fused, apart))
    assert all(identical(found[lane], expected[lane]) for lane in LANES)

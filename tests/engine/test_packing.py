"""Packed lanes: what they hold, that nothing is lost on the way there and back, and when there are none."""

from typing import Any

import jax
import numpy as np
import optax
import pytest

from ltr import kernels
from ltr.config.schema import Model
from ltr.core import masks
from ltr.core.optimizers import scale_by_adam
from ltr.core.registry import AdamOptions
from ltr.data.arrays import Split
from ltr.data.dataset import Dataset
from ltr.engine.examples import form, lay_out, prepare_inputs
from ltr.engine.packing import NO_LAYER, Packing
from ltr.methods.method import Lane
from ltr.models import registry as models
from tests.marks import slow

KEY = np.array([0, 1], np.uint32)
EVERY = {"dense_1": 1.0, "dense_2": 1.0, "output": 1.0}
ADAM = optax.chain(scale_by_adam(AdamOptions()), optax.add_decayed_weights(0.1))


@pytest.fixture(scope="module")
def lane(params: Any, mask: Any) -> Lane:
    """A lane under way: no moment is zero but those of pruned weights."""
    weights = masks.apply(mask, params)
    opt_state = jax.jit(lambda weights: ADAM.update(weights, ADAM.init(weights), weights)[1])(weights)
    return Lane(
        weights,
        jax.tree.map(np.asarray, opt_state),
        mask,
        KEY,
        np.float32(0.5),
        best_params=jax.tree.map(lambda weight: weight / 2, weights),
    )


def test_it_holds_the_weights_that_are_kept_and_their_moments(lane: Lane) -> None:
    packing = Packing(EVERY, ADAM)
    (pack_specs,) = packing.pack_specs([lane])
    packed = packing.pack(lane, pack_specs)
    for name in EVERY:
        kernel, kept = lane.params[name]["kernel"], lane.mask[name]["kernel"]
        values = packed.params[name]["kernel"]
        assert packed.mask[name]["kernel"] is None
        assert isinstance(packed.patterns[name], kernels.SparsityPattern)
        assert kept.sum() <= len(values) <= kernel.size
        np.testing.assert_array_equal(values[: kept.sum()], kernel.T[kept.T])
        assert not values[kept.sum() :].any()
        moment = packed.opt_state[0].mu[name]["kernel"]
        np.testing.assert_array_equal(moment[: kept.sum()], lane.opt_state[0].mu[name]["kernel"].T[kept.T])
        assert packed.params[name]["bias"] is lane.params[name]["bias"]


@pytest.mark.parametrize("layers", [EVERY, {"dense_2": 1.0}, NO_LAYER])
def test_what_is_packed_and_unpacked_is_what_it_was(lane: Lane, layers: dict[str, float]) -> None:
    packing = Packing(layers, ADAM)
    (pack_specs,) = packing.pack_specs([lane])
    again = packing.unpack(packing.pack(lane, pack_specs), pack_specs)
    assert jax.tree.structure(again) == jax.tree.structure(lane)
    jax.tree.map(np.testing.assert_array_equal, again, lane)


def test_lanes_that_train_together_are_shaped_alike(lane: Lane) -> None:
    sparse = jax.tree.map(lambda kept: kept & (np.arange(kept.size).reshape(kept.shape) % 5 == 0), lane.mask)
    other = lane._replace(mask=sparse, params=masks.apply(sparse, lane.params))
    packing = Packing(EVERY, ADAM)
    pair = [packing.pack(*one) for one in zip((lane, other), packing.pack_specs([lane, other]), strict=True)]
    assert len({str(jax.tree.map(np.shape, one)) for one in pair}) == 1


def test_together_they_pack_what_each_of_them_can(lane: Lane, params: Any) -> None:
    """A wave of an earlier session, say, when nothing was packed."""
    frozen = lane._replace(params={**lane.params, "dense_2": params["dense_2"]})
    packing = Packing(EVERY, ADAM)
    for one, pack_specs in zip((lane, frozen), packing.pack_specs([lane, frozen]), strict=True):
        assert pack_specs["dense_2"]["kernel"] is None
        jax.tree.map(
            np.testing.assert_array_equal, packing.unpack(packing.pack(one, pack_specs), pack_specs), one
        )


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("lenet_300_100", 1),
        ("lenet_300_100", 3),
        ("conv2", 1),
        ("conv2", 3),
        slow("resnet20", 3),
    ],
)
def test_a_network_computes_the_same_of_packed_kernels(name: str, channels: int) -> None:
    model = models.build(Model(name, width=0.1), (8, 8, channels), 10)
    generator = np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: generator.uniform(0.1, 1, leaf.shape).astype(np.float32), shapes)
    mask = jax.tree.map(
        lambda kept: generator.random(kept.shape) < 0.4, masks.ones(params, model.layer_types)
    )
    opt_state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), jax.eval_shape(ADAM.init, params))
    lane = Lane(masks.apply(mask, params), opt_state, mask, KEY, np.float32(0), best_params=params)
    packing = Packing(dict.fromkeys(jax.tree.leaves(masks.layer_names(mask)), 1.0), ADAM)
    packed = packing.pack(lane, *packing.pack_specs([lane]))
    assert list(packed.patterns) == jax.tree.leaves(masks.layer_names(mask))
    split = Split(generator.integers(256, size=(5, 8, 8, channels), dtype=np.uint8), np.zeros(5, np.int32))
    mean, std = generator.uniform(50, 100, size=(2, channels)).astype(np.float32)
    data = lay_out(Dataset("noise", split, split, split, 10, mean, std))

    @jax.jit
    def network(params: Any, patterns: Any) -> jax.Array:
        images = prepare_inputs(split.images, data, form(model, (), patterns))
        return model.apply(params, images, patterns)

    found, expected = (network(each.params, each.patterns) for each in (packed, lane))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


class TestWhichLayers:
    def test_those_as_sparse_as_their_crossover(self, lane: Lane) -> None:
        density = {name: lane.mask[name]["kernel"].mean() for name in EVERY}
        layers = {"dense_1": density["dense_1"], "dense_2": density["dense_2"] - 0.01}
        assert Packing(layers, ADAM).packed(lane.mask, lane.params) == ("dense_1",)

    def test_none_that_holds_weights_beside_those_it_keeps(self, lane: Lane, params: Any) -> None:
        """Those of an arm that freezes what is pruned, say."""
        frozen = {**lane.params, "dense_2": params["dense_2"]}
        assert Packing(EVERY, ADAM).packed(lane.mask, frozen) == ("dense_1", "output")

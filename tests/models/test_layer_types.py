"""Layers of Flax's own: which of their parameters are pruned, at which rate, and how often each is used."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr.core import masks
from ltr.models import operations
from ltr.models.layer_types import Parameter, by_module
from ltr.models.layers import Conv, flatten
from ltr.models.model import Model, from_linen
from tests.models.trees import leaves


class Transformer(nn.Module):
    """Patches of 2x2, an embedding of columns, a class token, positions, attention of two heads, an MLP."""

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        x = nn.Conv(6, (2, 2), (2, 2), "VALID", name="patches")(images)
        x = x + nn.Embed(x.shape[2], 6, name="columns")(jnp.arange(x.shape[2]))
        x = x.reshape(x.shape[0], -1, 6)
        token = self.param("class_token", nn.initializers.zeros_init(), (1, 1, 6))
        x = jnp.concatenate([jnp.broadcast_to(token, (x.shape[0], 1, 6)), x], 1)
        x = x + self.param("positions", nn.initializers.normal(0.02), (1, x.shape[1], 6))
        x = x + nn.MultiHeadDotProductAttention(2, name="attention")(nn.LayerNorm(name="norm")(x))
        x = x + nn.Dense(6, name="down")(nn.gelu(nn.Dense(8, name="up")(x)))
        return nn.Dense(3, name="head")(x[:, 0])


@pytest.fixture(scope="module")
def model() -> Model:
    """For images of 4 x 6 pixels and one channel: six patches, seven tokens."""
    return from_linen(Transformer(), (4, 6, 1))


def test_kernels_are_pruned_by_their_module_and_what_else_there_is_stays_whole(model: Model) -> None:
    layer_types = leaves(model.layer_types)
    assert {path: kind for path, kind in layer_types.items() if kind} == {
        "patches/kernel": "conv",
        **{f"attention/{name}/kernel": "dense" for name in ("query", "key", "value", "out")},
        "up/kernel": "dense",
        "down/kernel": "dense",
        "head/kernel": "output",
    }
    whole = {"columns/embedding", "class_token", "positions", "norm/scale", "norm/bias", "head/bias"}
    assert whole <= {path for path, kind in layer_types.items() if kind is None}
    assert model.first == "patches"


def test_uses_are_those_of_tokens(model: Model) -> None:
    """Every weight is in a product for each token that its layer is given; the head reads one."""
    assert leaves(model.uses)["attention/query/kernel"].shape == (1, 1, 1)
    found = {path: set(uses.ravel()) for path, uses in leaves(model.uses).items() if uses is not None}
    attention = [f"attention/{name}/kernel" for name in ("query", "key", "value", "out")]
    seven = {path: {7} for path in ["up/kernel", "down/kernel", *attention]}
    assert found == {"patches/kernel": {6}, **seven, "head/kernel": {1}}


def test_operations_are_two_a_product_by_hand(model: Model) -> None:
    """Forward, in the gradients of weights and, but for the patches, of inputs; a pruned weight in none."""
    whole = masks.ones(jax.eval_shape(model.init, jax.random.key(0)), model.layer_types)
    attention = 7 * (6 * 2 * 3)
    by_hand = 2 * 6 * (4 * 6) + 3 * (4 * attention + 7 * (6 * 8) + 7 * (8 * 6) + 6 * 3)
    assert operations.step(model, whole, whole) == 2 * by_hand
    fewer = jax.tree.map(np.array, whole)
    fewer["attention"]["out"]["kernel"][0, :, :4] = False
    assert operations.step(model, fewer, fewer) == 2 * (by_hand - 3 * 7 * 3 * 4)


def test_dense_layers_can_be_packed_and_attention_cannot(model: Model) -> None:
    num_positions = leaves(model.num_positions)
    assert {path for path, count in num_positions.items() if count} == {
        "up/kernel",
        "down/kernel",
        "head/kernel",
    }
    assert (num_positions["up/kernel"], num_positions["head/kernel"]) == (7, 1)


def test_taps_of_any_convolution_count_where_they_fall_on_the_image() -> None:
    class Mixed(nn.Module):
        @nn.compact
        def __call__(self, images: jax.Array, train: bool) -> jax.Array:
            return nn.Dense(3)(flatten(nn.Conv(2, (3, 3))(inputs=images)))

    model = from_linen(Mixed(), (4, 5, 1))
    assert model.layer_types["Conv_0"]["kernel"] == "conv"
    assert model.num_positions["Conv_0"]["kernel"] is None
    np.testing.assert_array_equal(model.uses["Conv_0"]["kernel"], Conv(2).products((1, 4, 5, 1)))


class Shared(nn.Module):
    """A layer that is used twice."""

    def setup(self) -> None:
        self.hidden, self.head = nn.Dense(4), nn.Dense(3)

    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        return self.head(self.hidden(nn.relu(self.hidden(flatten(images)))))


class Scanned(nn.Module):
    """Two layers that hold their kernels together."""

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        class Layer(nn.Module):
            @nn.compact
            def __call__(self, x: jax.Array, _: Any) -> tuple[jax.Array, None]:
                return nn.remat(nn.Dense)(4, name="hidden")(x), None

        layers = nn.scan(Layer, {"params": 0}, split_rngs={"params": True}, length=2)
        return nn.Dense(3)(layers(name="layers")(flatten(images), None)[0])


def test_a_layer_used_twice_counts_twice_and_stacked_layers_once_each() -> None:
    shared, scanned = (from_linen(module, (2, 2, 1)) for module in (Shared(), Scanned()))
    assert (shared.uses["hidden"]["kernel"], shared.num_positions["hidden"]["kernel"]) == (2, 2)
    hidden = [
        tree["layers"]["hidden"]["kernel"]
        for tree in (scanned.uses, scanned.num_positions, scanned.layer_types)
    ]
    assert [hidden[0].shape, hidden[0].item(), *hidden[1:]] == [(1, 1, 1), 1, None, "dense"]


def test_a_network_can_say_otherwise(model: Model) -> None:
    def attention_alone(of: Parameter) -> str | None:
        return by_module(of) if of.path[0] == "attention" else None

    layer_types = leaves(from_linen(Transformer(), (4, 6, 1), layer_type=attention_alone).layer_types)
    assert {path.split("/")[0] for path, kind in layer_types.items() if kind} == {"attention"}


@pytest.mark.parametrize(("path", "kind"), [(("up", "kernel"), "recurrent"), (("positions",), "dense")])
def test_a_wrong_layer_type_is_refused(path: tuple[str, ...], kind: str) -> None:
    said = f"^{'/'.join(path)}: layer type {kind}; must be one of"
    with pytest.raises(ValueError, match=said):
        from_linen(Transformer(), (4, 6, 1), layer_type=lambda of: kind if of.path == path else None)

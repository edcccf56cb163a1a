from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import models
from ltr.errors import ConfigError
from ltr.models import MODELS, Model

SHAPES = [(8, 8, 1), (7, 5, 3)]


def kernels(model: Model, tree: Any) -> dict[str, Any]:
    """What the tree holds for every layer's kernel."""
    return {layer: tree[layer]["kernel"] for layer in model.kinds}


def sizes(model: Model) -> dict[str, int]:
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    return {layer: kernel.size for layer, kernel in kernels(model, shapes).items()}


def test_lenet_300_100_has_the_weights_of_the_paper() -> None:
    found = sizes(models.build("lenet_300_100", (28, 28, 1), 10))
    assert found == {"dense_1": 784 * 300, "dense_2": 300 * 100, "output": 100 * 10}
    assert sum(found.values()) == 266_200


def test_conv2_has_the_weights_of_the_paper() -> None:
    found = sizes(models.build("conv2", (32, 32, 3), 10))
    assert found == {
        "conv_1": 3 * 3 * 3 * 64,
        "conv_2": 3 * 3 * 64 * 64,
        "dense_1": 16 * 16 * 64 * 256,
        "dense_2": 256 * 256,
        "output": 256 * 10,
    }
    assert sum(found.values()) == 4_300_992


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MODELS)
class TestEveryNetwork:
    def test_gives_a_finite_logit_per_class_in_strict_float32(self, name: str, shape: Any) -> None:
        model = models.build(name, shape, 4)
        images = jax.random.normal(jax.random.key(1), (3, *shape))
        with jax.numpy_dtype_promotion("strict"):
            logits = model.apply(model.init(jax.random.key(0)), images)
        assert logits.shape == (3, 4)
        assert logits.dtype == jnp.float32
        assert np.isfinite(logits).all()

    def test_starts_from_gaussian_glorot_and_zero_biases(self, name: str, shape: Any) -> None:
        model = models.build(name, shape, 4)
        params = model.init(jax.random.key(0))
        assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
        for layer in params.values():
            kernel = np.asarray(layer["kernel"])
            fans = np.prod(kernel.shape[:-2]) * np.sum(kernel.shape[-2:])
            deviations = kernel / np.sqrt(2 / fans)
            assert deviations.std() == pytest.approx(1, abs=4 / np.sqrt(2 * kernel.size))
            assert deviations.mean() == pytest.approx(0, abs=4 / np.sqrt(kernel.size))
            assert not layer["bias"].any()

    def test_names_a_kind_for_every_kernel_and_for_nothing_else(self, name: str, shape: Any) -> None:
        model = models.build(name, shape, 4)
        for layer, kind in kernels(model, model.kinds).items():
            assert kind == layer.partition("_")[0]
            assert kind in {"conv", "dense", "output"}
        assert {layer["bias"] for layer in model.kinds.values()} == {None}
        params = jax.eval_shape(model.init, jax.random.key(0))
        assert {layer: set(params[layer]) for layer in params} == {
            layer: set(model.kinds[layer]) for layer in model.kinds
        }

    def test_is_drawn_by_its_key(self, name: str, shape: Any) -> None:
        model = models.build(name, shape, 4)
        one, again, other = (kernels(model, model.init(jax.random.key(seed))) for seed in (0, 0, 1))
        for layer in one:
            np.testing.assert_array_equal(one[layer], again[layer])
            assert not np.any(one[layer] == other[layer])


def test_glorot_is_not_truncated() -> None:
    """A truncated Gaussian of the same variance ends at 2.27 deviations."""
    kernel = models.build("lenet_300_100", (28, 28, 1), 10).init(jax.random.key(0))["dense_1"]["kernel"]
    assert np.abs(kernel).max() / np.std(kernel) > 3.5


def test_lenet_is_what_it_says(network: Model, params: Any) -> None:
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype(np.float32)
    x = images.reshape(5, 16)
    for layer in ("dense_1", "dense_2"):
        x = np.maximum(x @ params[layer]["kernel"] + params[layer]["bias"], 0)
    expected = x @ params["output"]["kernel"] + params["output"]["bias"]
    np.testing.assert_allclose(network.apply(params, images), expected, rtol=1e-5, atol=1e-5)


def test_an_unknown_network_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^model.name=conv3: unknown network; did you mean conv2\?$"):
        models.build("conv3", (8, 8, 1), 10)


def test_conv2_needs_images_that_it_can_pool() -> None:
    with pytest.raises(
        ConfigError, match=r"^model.name=conv2: needs images of at least 2x2, these are \(1, 9"
    ):
        models.build("conv2", (1, 9, 3), 10)

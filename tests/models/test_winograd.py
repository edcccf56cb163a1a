"""Networks whose convolutions compute by Winograd's filtering."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import kernels
from ltr.config.schema import Model as Config
from ltr.models import registry
from ltr.models.arithmetic import Arithmetic
from ltr.models.layers import Conv
from ltr.models.model import Model, with_arithmetic
from ltr.models.packed import NO_PATTERNS, Patterns
from ltr.models.winograd import FEWEST_PIXELS, FEWEST_PIXELS_OF_2X2, tile, winograd
from tests.marks import slow
from tests.models.trees import drawn

needs_kernels = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")


def built(name: str) -> Model:
    return registry.build(Config(name=name, width=0.1), (8, 8, 3), 10)


def loss_and_gradients(model: Model, patterns: Patterns = NO_PATTERNS) -> Any:
    """The compiled function of the parameters."""
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)

    def loss(params: Any) -> Any:
        logits, _ = model.train(params, images, jax.random.key(1), patterns)
        return jnp.square(logits).mean()

    return jax.jit(jax.value_and_grad(loss))


@needs_kernels
@pytest.mark.parametrize("name", ["conv2", slow("resnet20")])
def test_a_network_learns_as_with_the_convolutions_of_xla(name: str) -> None:
    model = built(name)
    params = drawn(model)
    tiled = loss_and_gradients(with_arithmetic(model, Arithmetic(dict.fromkeys(model.winograd_layers, 2))))
    found, expected = tiled(params), loss_and_gradients(model)(params)
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=2e-2, atol=5e-5), found, expected
    )
    lowered = tiled.lower(params).as_text()
    assert lowered.count("ltr_winograd") >= 2 * len(model.winograd_layers)
    assert ("stablehlo.convolution" in lowered) is (name == "resnet20"), "whose others are XLA's"


@needs_kernels
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("pool", [False, True])
def test_what_follows_a_convolution_is_what_its_layer_says(relu: bool, pool: bool) -> None:
    layer = Conv(4, relu=relu, pool=pool)
    images = np.random.default_rng(0).normal(-1, size=(2, 5, 6, 3)).astype(np.float32)
    variables = layer.init(jax.random.key(0), images)
    with winograd({"": 2}):
        found = layer.apply(variables, images)
    np.testing.assert_allclose(found, layer.apply(variables, images), atol=1e-5)


@needs_kernels
def test_a_packed_layer_stays_packed() -> None:
    model = built("conv2")
    params = drawn(model)
    kernel = params["conv_2"]["kernel"]
    params["conv_2"]["kernel"] = kernel.reshape(-1, kernel.shape[-1]).T.reshape(-1)
    pattern = kernels.pattern(np.ones((kernel.size // kernel.shape[-1], kernel.shape[-1]), bool), kernel.size)
    tiled = with_arithmetic(model, Arithmetic(dict.fromkeys(model.winograd_layers, 2)))
    found, expected = (loss_and_gradients(each, {"conv_2": pattern})(params)[0] for each in (tiled, model))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_convolutions_of_size_3_and_stride_1_can_be_computed_so() -> None:
    assert built("conv2").winograd_layers == ("conv_1", "conv_2")
    assert built("lenet_300_100").winograd_layers == ()
    layers = built("resnet20").winograd_layers
    assert "conv_1" in layers
    assert len(layers) == 17, "of 21: two have a stride of 2, two are of size 1"


@pytest.mark.parametrize(
    ("side", "expected"), [(32, 4), (8, 4), (7, 4), (5, 2), (4, 4), (3, 4), (2, 2), (1, None)]
)
def test_tiles_take_the_fewest_multiplications(side: int, expected: int | None) -> None:
    assert tile(side**2, 1000) == expected


def test_a_few_pixels_are_left_to_xla() -> None:
    assert tile(64, FEWEST_PIXELS // 64 - 1) is None
    assert tile(64, FEWEST_PIXELS // 64) == 4
    assert tile(4, FEWEST_PIXELS_OF_2X2 // 4 - 1) is None
    assert tile(4, FEWEST_PIXELS_OF_2X2 // 4) == 2

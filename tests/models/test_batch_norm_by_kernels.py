"""Networks whose batch normalisations are computed by the kernels."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr import kernels
from ltr.config.schema import Model as Config
from ltr.models import registry
from ltr.models.arithmetic import Arithmetic
from ltr.models.batch_norm import batch_norm, has_kernels
from ltr.models.layers import BatchNorm
from ltr.models.model import Model, with_arithmetic
from ltr.models.packed import NO_PATTERNS, Patterns
from tests.marks import slow
from tests.models.trees import drawn

needs_kernels = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")

IMAGES = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)


def built(name: str = "resnet20", side: int = 8) -> Model:
    return registry.build(Config(name=name, width=0.1), (side, side, 3), 10)


def normalised(model: Model) -> Model:
    return with_arithmetic(model, Arithmetic(batch_norms=model.batch_norms))


def loss(model: Model, patterns: Patterns = NO_PATTERNS) -> Callable[[Any], Any]:
    """The function of the parameters that returns the loss and the running statistics."""

    def loss(params: Any) -> Any:
        logits, statistics = model.train(params, IMAGES, jax.random.key(1), patterns)
        return jnp.square(logits).mean(), statistics

    return loss


def trained(model: Model, patterns: Patterns = NO_PATTERNS) -> Any:
    """The compiled function of the parameters: loss, running statistics, gradients."""
    return jax.jit(jax.value_and_grad(loss(model, patterns), has_aux=True))


@needs_kernels
@pytest.mark.slow
def test_a_network_learns_as_with_the_normalisations_of_xla() -> None:
    model = built()
    params = drawn(model)
    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=2e-2, atol=1e-3),
        trained(normalised(model))(params),
        trained(model)(params),
    )


@needs_kernels
@pytest.mark.parametrize(("name", "norms"), [("resnet20", 21), slow("wide_resnet", 25), ("vgg16", 13)])
def test_the_kernels_compute_all_normalisations_and_what_follows_them(name: str, norms: int) -> None:
    model = built(name, side=16)
    images = np.zeros((1, 16, 16, 3), np.float32)
    lowered = [
        jax.jit(each.train).lower(drawn(model), images, jax.random.key(0)).as_text()
        for each in (normalised(model), model)
    ]
    assert len(model.batch_norms) == norms
    assert [text.count("@ltr_batch_norm(") for text in lowered] == [norms, 0]
    assert [text.count("@relu(") > 0 for text in lowered] == [False, True]


@needs_kernels
def test_statistics_of_a_batch_alone_are_those_of_xla() -> None:
    model = built()
    params = drawn(model)

    def statistics(model: Model) -> Any:
        assert model.statistics is not None
        return jax.jit(model.statistics)(params, IMAGES, jax.random.key(0))

    jax.tree.map(
        lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4),
        statistics(normalised(model)),
        statistics(model),
    )


@needs_kernels
def test_evaluation_reads_the_running_statistics() -> None:
    model = built()
    params = drawn(model)
    apply = jax.jit(normalised(model).apply)
    np.testing.assert_array_equal(apply(params, IMAGES), jax.jit(model.apply)(params, IMAGES))
    assert "ltr_batch_norm" not in apply.lower(params, IMAGES).as_text()


@needs_kernels
def test_a_layer_after_a_packed_one_is_left_to_xla() -> None:
    model = built()
    params = drawn(model)
    kernel = params["conv_1"]["kernel"]
    params["conv_1"]["kernel"] = kernel.reshape(-1, kernel.shape[-1]).T.reshape(-1)
    pattern = kernels.pattern(np.ones((kernel.size // kernel.shape[-1], kernel.shape[-1]), bool), kernel.size)
    found, expected = (
        jax.jit(loss(each, {"conv_1": pattern}))(params)[0] for each in (normalised(model), model)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    lowered = trained(normalised(model), {"conv_1": pattern}).lower(params).as_text()
    assert lowered.count("@ltr_batch_norm_gradient(") == len(model.batch_norms) - 1


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("has_residual", [False, True])
def test_a_layer_without_the_kernels_is_that_of_flax(relu: bool, has_residual: bool) -> None:
    layer, plain = BatchNorm(use_running_average=False, relu=relu), nn.BatchNorm(False, momentum=0.9)
    residual = IMAGES[::-1] if has_residual else None
    variables = plain.init(jax.random.key(0), IMAGES)

    def after(y: jax.Array) -> jax.Array:
        y = y if residual is None else residual + y
        return nn.relu(y) if relu else y

    @jax.jit
    def both(x: jax.Array) -> Any:
        found, updated = layer.apply(variables, x, residual=residual, mutable=["batch_stats"])
        y, expected = plain.apply(variables, x, mutable=["batch_stats"])
        return (found, updated), (after(y), expected)  # type: ignore[arg-type]

    jax.tree.map(np.testing.assert_array_equal, *both(IMAGES))


@needs_kernels
def test_the_choice_of_statistics_may_be_an_argument_of_the_call() -> None:
    layer = BatchNorm(relu=True)
    variables = layer.init(jax.random.key(0), IMAGES, use_running_average=True)
    with batch_norm({""}):
        by_batch, _ = layer.apply(variables, IMAGES, False, mutable=["batch_stats"])
        by_running = layer.apply(variables, IMAGES, use_running_average=True)
    y, *_ = kernels.batch_norm(IMAGES, np.ones(3, np.float32), np.zeros(3, np.float32), None, True, 1e-5)
    np.testing.assert_array_equal(by_batch, y)
    np.testing.assert_allclose(by_running, nn.relu(IMAGES), rtol=1e-4)


@needs_kernels
@pytest.mark.parametrize("half", ["x", "residual"])
def test_inputs_of_half_precision_are_normalised_too(half: str) -> None:
    layer = BatchNorm(use_running_average=False)
    inputs = {"x": jnp.asarray(IMAGES), "residual": jnp.asarray(IMAGES)}
    inputs[half] = inputs[half].astype(jnp.bfloat16)
    variables = layer.init(jax.random.key(0), IMAGES)
    with batch_norm({""}):
        found, _ = layer.apply(variables, **inputs, mutable=["batch_stats"])
    expected, _ = layer.apply(variables, **inputs, mutable=["batch_stats"])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (BatchNorm(use_running_average=False, momentum=0.5, epsilon=1e-3, relu=True, name="norm"), True),
        (BatchNorm(axis=1), False),
        (BatchNorm(use_scale=False), False),
        (BatchNorm(dtype=jnp.bfloat16), False),
        (BatchNorm(axis_name="devices"), False),
        (nn.BatchNorm(), False),
        (nn.LayerNorm(), False),
    ],
)
def test_the_kernels_compute_plain_layers(layer: nn.Module, expected: bool) -> None:
    assert has_kernels(layer) is expected

"""Which dimensions of kernels are inputs, and that everything that asks gets it right for attention."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import pytest
from scipy import sparse

from ltr.arms.mask_sources import by_input, shuffled
from ltr.config.schema import Arm, Experiment, LayerRates, Pruning
from ltr.config.schema import Model as ModelConfig
from ltr.errors import ConfigError, LtrError
from ltr.experiment import spec
from ltr.export import as_sparse
from ltr.methods import edge_popup
from ltr.methods.method import MethodInput
from ltr.models import registry as models
from ltr.models.kernel_shape import KernelShape
from ltr.models.layer_types import kernel_roles
from ltr.models.model import Model, from_linen
from ltr.pruning.sharing import erdos_renyi_kernel
from ltr.pruning.targets import targets

QUERY = KernelShape("query", (6, 3, 4), "ioo")
OUT = KernelShape("out", (3, 4, 6), "iio")
BY_OUTPUT = {"query": (6, 12), "out": (12, 6)}
"""The two as matrices [fan-in, outputs], which reshaping makes of them."""


@pytest.fixture(scope="module")
def vit() -> Model:
    """One block of three heads of 4 features, 12 wide."""
    return models.build(ModelConfig("vit_tiny", width=1 / 16, options={"depth": 1}), (8, 8, 3), 10)


def drawn(shape: tuple[int, ...], share: float = 0.4) -> np.ndarray:
    return np.random.default_rng(0).random(shape) < share


def test_kernels_of_a_vision_transformer(vit: Model) -> None:
    attention = vit.kernels["block_1"]["attention"]
    for name in ("query", "key", "value"):
        kernel = attention[name]["kernel"]
        assert (kernel.shape, kernel.roles, kernel.fan_in, kernel.erk_sum) == ((12, 3, 4), "ioo", 12, 24)
    out = attention["out"]["kernel"]
    assert (out.layer, str(out)) == ("block_1/attention/out", "[in, in, out]")
    assert (out.shape, out.roles, out.fan_in, out.erk_sum) == ((3, 4, 12), "iio", 12, 24)
    assert vit.kernels["patches"]["kernel"] == KernelShape("patches", (48, 12), "io")
    assert attention["query"]["bias"] is None


@pytest.mark.parametrize(
    ("layer", "x", "roles"),
    [
        (nn.Dense(3), (2, 4), "io"),
        (nn.DenseGeneral(3, axis=(1, 2)), (2, 4, 5), "iio"),
        (nn.DenseGeneral((3, 2), axis=-1), (2, 4, 5), "ioo"),
        (nn.DenseGeneral(3, axis=-1, batch_dims=(0,)), (2, 4, 5), "cio"),
        (nn.Conv(3, (2, 2)), (2, 4, 4, 6), "wwio"),
        (nn.Conv(3, 2), (2, 4, 6), "wio"),
        (nn.ConvLocal(3, (2,)), (2, 4, 6), "cio"),
        (nn.ConvTranspose(3, (2, 2)), (2, 4, 4, 6), "wwio"),
        (nn.ConvTranspose(3, (2, 2), transpose_kernel=True), (2, 4, 4, 6), "wwoi"),
        (nn.Einsum((3, 5), "abc,dc->abd"), (2, 4, 5), ""),
    ],
)
def test_roles_of_layers_of_flax(layer: nn.Module, x: tuple[int, ...], roles: str) -> None:
    variables = jax.eval_shape(layer.init, jax.random.key(0), np.ones(x, np.float32))
    kernel = variables["params"]["kernel"]
    assert kernel_roles(layer, kernel.ndim) == roles
    assert len(roles) in (0, kernel.ndim)
    for size, role in zip(kernel.shape, roles, strict=bool(roles)):
        assert (size == 3) == (role == "o") or roles == "ioo"


def test_stacked_layers_are_copies() -> None:
    assert kernel_roles(nn.Dense(3), 3) == "cio"
    assert KernelShape("layers", (5, 4, 3), "cio").erk_sum == 5 * (4 + 3)


def test_erk_shares_of_attention_are_those_of_its_matrices() -> None:
    """Sums are 6 + 12 and 12 + 6, of 72 weights each; the dense layer's are 10 + 26 of 260."""
    dense = KernelShape("dense", (10, 26), "io")
    assert erdos_renyi_kernel([QUERY, OUT, dense], 72) == [18, 18, 36]


def test_erk_densities_of_a_vision_transformer(vit: Model) -> None:
    erk = Pruning(scope="erk", densities=(0.1,), rates=LayerRates(output=1.0))
    _, target = targets(erk, 0.2, 1, vit.layer_types, vit.kernels)
    block = target["block_1"]
    assert block["attention"]["query"]["kernel"] == pytest.approx(block["attention"]["out"]["kernel"], abs=1)
    share = Fraction(24, 12 + 48)
    assert block["attention"]["query"]["kernel"] / block["dense_1"]["kernel"] == pytest.approx(
        float(share), rel=0.05
    )


@pytest.mark.parametrize(("kernel", "outputs"), [(QUERY, (1, 2)), (OUT, (2,))])
def test_a_shuffle_by_input_keeps_the_connections_of_each_feature(
    kernel: KernelShape, outputs: tuple[int, ...]
) -> None:
    mask = drawn(kernel.shape)
    found = by_input({"kernel": mask}, {"kernel": kernel}, np.random.default_rng(1))["kernel"]
    np.testing.assert_array_equal(found.sum(outputs), mask.sum(outputs))
    assert (found.sum(-1) != mask.sum(-1)).any() == (kernel is QUERY)
    assert (found != mask).any()


def test_a_shuffle_by_input_is_within_a_group_of_a_convolution() -> None:
    """Of two groups the first two outputs see other inputs than the last two."""

    class Grouped(nn.Module):
        @nn.compact
        def __call__(self, images: jax.Array, train: bool) -> jax.Array:
            x = nn.Conv(4, (1, 1), feature_group_count=2, name="conv")(images)
            return nn.Dense(2, name="output")(x.mean((1, 2)))

    kernel = from_linen(Grouped(), (3, 3, 6)).kernels["conv"]["kernel"]
    assert (kernel.shape, kernel.groups) == ((1, 1, 3, 4), 2)
    mask = np.array([[True, True, False, False], [True, False, True, False], [False, False, True, True]])
    found = by_input([mask.reshape(kernel.shape)], [kernel], np.random.default_rng(0))[0].reshape(3, 2, 2)
    np.testing.assert_array_equal(found.sum(-1), mask.reshape(3, 2, 2).sum(-1))


@pytest.mark.parametrize(("shape", "roles"), [((20, 7), "io"), ((3, 3, 5, 8), "wwio")])
def test_dense_layers_and_convolutions_are_shuffled_by_their_last_dimension(
    shape: tuple[int, ...], roles: str
) -> None:
    mask, kernel = drawn(shape), KernelShape("a", shape, roles)
    found = shuffled("by_input", {"a": mask, "b": mask}, {"a": kernel, "b": None}, np.random.default_rng(1))
    np.testing.assert_array_equal(found["a"], np.random.default_rng(1).permuted(mask, axis=-1))
    np.testing.assert_array_equal(found["b"], mask)


def test_edge_popup_begins_in_the_range_of_the_fan_in() -> None:
    query, out = KernelShape("query", (16, 4, 25), "ioo"), KernelShape("out", (4, 25, 16), "iio")
    kernels = {"query": query, "out": out}
    weights = {name: np.zeros(kernel.shape, np.float32) for name, kernel in kernels.items()}
    masks = {name: np.ones(kernel.shape, bool) for name, kernel in kernels.items()}
    scores, _ = edge_popup.begin(kernels, MethodInput(masks, weights, jax.random.key(0), None, (0, 1)))
    for name, bound in (("query", 1 / 4), ("out", 1 / 10)):
        assert 0.99 * bound < np.abs(scores[name]).max() <= bound


@pytest.mark.parametrize("kernel", [QUERY, OUT])
def test_compressed_rows_of_attention_are_its_outputs(kernel: KernelShape) -> None:
    kept, name = drawn(kernel.shape), f"{kernel.layer}.kernel"
    weights = np.where(kept, np.random.default_rng(2).normal(size=kernel.shape), 0).astype(np.float32)
    found = as_sparse({name: weights}, {name: kept}, {name: kernel})
    fan_in, outputs = BY_OUTPUT[kernel.layer]
    rows = sparse.csr_array(
        (found[f"{name}.values"], found[f"{name}.columns"], found[f"{name}.rows"]), (outputs, fan_in)
    )
    np.testing.assert_array_equal(rows.toarray(), weights.reshape(fan_in, outputs).T)
    x = np.random.default_rng(3).normal(size=kernel.shape[: kernel.roles.count("i")])
    expected = np.tensordot(x, weights, x.ndim)
    np.testing.assert_allclose((rows @ x.ravel()).reshape(expected.shape), expected, rtol=1e-5, atol=1e-6)


def test_a_transposed_kernel_is_turned_and_turned_back() -> None:
    kernel = KernelShape("up", (2, 3, 4, 5), "wwoi")
    array = np.arange(120).reshape(kernel.shape)
    np.testing.assert_array_equal(kernel.by_input(array)[7], array[0, 1, :, 2])
    np.testing.assert_array_equal(kernel.from_by_input(kernel.by_input(array)), array)
    np.testing.assert_array_equal(kernel.by_output(array)[3], array[:, :, 3].ravel())


@pytest.mark.parametrize(
    ("knob", "experiment"),
    [
        ("pruning.scope=erk", Experiment(pruning=Pruning(scope="erk"), arms=[])),
        ("arm.a.shuffle=by_input", Experiment(arms=["a"], arm={"a": Arm(shuffle="by_input")})),
        ("arm.a.shuffle=erk", Experiment(arms=["a"], arm={"a": Arm(shuffle="erk")})),
        ("arm.a.method=edge_popup", Experiment(arms=["a"], arm={"a": Arm(method="edge_popup")})),
        ("", Experiment(arms=["a"], arm={"a": Arm(shuffle="layerwise")})),
    ],
)
def test_what_has_to_know_inputs_is_refused_where_they_are_not_known(knob: str, experiment: Any) -> None:
    unknown = KernelShape("mixed", (3, 2, 8), "")
    model: Any = SimpleNamespace(kernels={"mixed": unknown})
    if not knob:
        spec._require_inputs(experiment, model)
        return
    with pytest.raises(ConfigError, match=rf"^{knob}: .* layer mixed, whose kernel has shape \(3, 2, 8\)$"):
        spec._require_inputs(experiment, model)
    with pytest.raises(LtrError, match=r"^layer mixed: the input dimensions of its kernel"):
        as_sparse({"mixed": np.ones((3, 2, 8))}, {"mixed": drawn((3, 2, 8))}, {"mixed": unknown})

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltr.config.schema import Model as Config
from ltr.errors import ConfigError, LtrError
from ltr.models import registry as models
from ltr.models.layer_types import LAYER_TYPES
from ltr.models.layers import GLOROT, Conv
from ltr.models.lenet import LeNet
from ltr.models.model import Model, from_linen
from ltr.models.registry import NETWORKS
from ltr.models.vit import patches
from tests.marks import slow_but
from tests.models.trees import drawn, leaves

SHAPES = [(16, 16, 1), (17, 16, 3)]
"""Images that every network can halve, even and odd."""

QUICK = {"lenet_300_100", "conv2", "resnet20"}
"""Networks that are tested every time; the others take long to compile and are larger siblings of these."""

WITHOUT_DROPOUT = ["resnet18", "resnet20", "vgg16", "vgg19"]

KEY = jax.random.key(0, impl="unsafe_rbg")
OTHER = jax.random.fold_in(KEY, 1)
"""Keys of a generator that compiles fast."""


def build(name: str, shape: Any = (32, 32, 3), classes: int = 10, **knobs: Any) -> Model:
    return models.build(Config(name, **knobs), shape, classes)


def fans(path: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Inputs and outputs that a unit of the layer has; the heads of attention are units of its output."""
    if "attention" in path:
        split = 2 if path.endswith("out/kernel") else 1
        return math.prod(shape[:split]), math.prod(shape[split:])
    patch = math.prod(shape[:-2])
    return patch * shape[-2], patch * shape[-1]


def prunable(model: Model) -> dict[str, int]:
    """The weights of each prunable layer."""
    layer_types, shapes = leaves(model.layer_types), leaves(jax.eval_shape(model.init, KEY))
    return {path.removesuffix("/kernel"): shapes[path].size for path, kind in layer_types.items() if kind}


def of_kinds(model: Model) -> dict[str, int]:
    """The weights of all layers of each kind."""
    layer_types, shapes = leaves(model.layer_types), leaves(jax.eval_shape(model.init, KEY))
    return {
        kind: sum(shapes[path].size for path in layer_types if layer_types[path] == kind)
        for kind in LAYER_TYPES
        if kind in layer_types.values()
    }


def trainable(model: Model) -> int:
    """All parameters but the running statistics."""
    shapes = leaves(jax.eval_shape(model.init, KEY))
    return sum(leaf.size for path, leaf in shapes.items() if not path.endswith(("mean", "var")))


def test_lenet_300_100_has_the_weights_of_the_paper() -> None:
    found = prunable(build("lenet_300_100", (28, 28, 1)))
    assert found == {"dense_1": 784 * 300, "dense_2": 300 * 100, "output": 100 * 10}
    assert sum(found.values()) == 266_200


def test_conv2_has_the_weights_of_the_paper() -> None:
    found = prunable(build("conv2"))
    assert found == {
        "conv_1": 3 * 3 * 3 * 64,
        "conv_2": 3 * 3 * 64 * 64,
        "dense_1": 16 * 16 * 64 * 256,
        "dense_2": 256 * 256,
        "output": 256 * 10,
    }
    assert sum(found.values()) == 4_300_992


@pytest.mark.parametrize(("name", "weights"), [("conv4", 2_425_024), ("conv6", 2_261_184)])
def test_conv4_and_conv6_have_the_weights_of_the_paper(name: str, weights: int) -> None:
    assert sum(prunable(build(name)).values()) == weights


@pytest.mark.parametrize(
    ("name", "weights", "parameters"),
    [
        ("resnet20", {"conv": 267_696, "output": 640, "shortcut": 2_560}, 272_474),
        ("resnet18", {"conv": 10_987_200, "output": 5_120, "shortcut": 172_032}, 11_173_962),
        ("wide_resnet", {"conv": 36_196_272, "output": 6_400, "shortcut": 258_560}, 36_479_194),
        ("vgg16", {"conv": 14_710_464, "output": 5_120}, 14_724_042),
        ("vgg19", {"conv": 20_018_880, "output": 5_120}, 20_035_018),
    ],
)
def test_deep_networks_have_the_parameters_published(
    name: str, weights: dict[str, int], parameters: int
) -> None:
    """VGGs published with a bias before each normalisation have 4,224 and 5,504 parameters more."""
    model = build(name)
    assert of_kinds(model) == weights
    assert trainable(model) == parameters


def test_vit_tiny_has_the_parameters_published() -> None:
    """DeiT-Ti of 65 tokens and 10 classes (Touvron et al., 2021), for patches of 4x4."""
    model = build("vit_tiny")
    assert of_kinds(model) == {"dense": 48 * 192 + 12 * (4 * 192**2 + 2 * 192 * 768), "output": 1_920}
    assert trainable(model) == 5_362_762
    by_mean = leaves(jax.eval_shape(build("vit_tiny", options={"pool": "mean", "depth": 2}).init, KEY))
    assert by_mean["positions"].shape == (1, 64, 192)
    assert "class_token" not in by_mean
    assert {path.split("/")[0] for path in by_mean if path.startswith("block")} == {"block_1", "block_2"}


def test_patches_are_squares_of_the_image_in_rows() -> None:
    images = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    found = np.asarray(jax.jit(patches, static_argnums=1)(images, 2))
    assert found.shape == (2, 6, 12)
    np.testing.assert_array_equal(found[1, 4], images[1, 2:4, 2:4].ravel())


def test_patches_divide_images() -> None:
    said = r"^model.options.patch=4: must divide the height and width of images \(6, 8, 1\)$"
    with pytest.raises(ConfigError, match=said):
        build("vit_tiny", (6, 8, 1))


def test_a_tenth_of_the_width_is_wrn_28_1() -> None:
    assert trainable(build("wide_resnet", width=0.1)) == 369_498


@pytest.mark.parametrize("name", slow_but(QUICK - {"resnet20"}, NETWORKS))
def test_starts_from_a_gaussian_drawn_by_the_key_and_shifts_nothing(name: str) -> None:
    inits: list[Any] = ["glorot", "kaiming"]
    models = [build(name, SHAPES[0], 4, init=init, width=0.2) for init in inits]
    draw = jax.jit(lambda key: [leaves(model.init(key)) for model in models])
    with jax.numpy_dtype_promotion("strict"):
        (one, twice), (again, _), (other, _) = jax.device_get([draw(key) for key in (KEY, KEY, OTHER)])
    for path, leaf in one.items():
        assert leaf.dtype == jnp.float32
        np.testing.assert_array_equal(leaf, again[path])
        if path.endswith("kernel"):
            fan_in, fan_out = fans(path, leaf.shape)
            for drawn, variance in (
                (leaf, 2 / (fan_in + fan_out)),
                (twice[path], 2 / fan_in),
            ):
                deviations = drawn / np.sqrt(variance)
                assert deviations.std() == pytest.approx(1, abs=5 / np.sqrt(2 * leaf.size))
                assert deviations.mean() == pytest.approx(0, abs=5 / np.sqrt(leaf.size))
            assert np.mean(leaf == other[path]) < 0.01
        elif path != "positions":
            np.testing.assert_array_equal(leaf, 1 if path.endswith(("scale", "var")) else 0)


@pytest.mark.parametrize("name", slow_but(QUICK, NETWORKS))
class TestEveryNetwork:
    @pytest.fixture
    def model(self, name: str) -> Model:
        """Narrow, since what is tested does not depend on the width."""
        return build(name, SHAPES[0], 4, width=0.2)

    @pytest.mark.parametrize("shape", slow_but(SHAPES[1:], SHAPES))
    def test_gives_a_finite_logit_per_class_in_strict_float32(self, name: str, shape: Any) -> None:
        if name == "vit_tiny":
            shape = (20, *shape[1:])  # a multiple of its patches
        model = build(name, shape, 4, width=0.1)
        images = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
        params = drawn(model)

        @jax.jit
        def both(params: Any, images: jax.Array, key: jax.Array) -> Any:
            return model.apply(params, images), *model.train(params, images, key)

        with jax.numpy_dtype_promotion("strict"):
            evaluated, trained, statistics = both(params, images, KEY)
        for logits in (evaluated, trained):
            assert logits.shape == (3, 4)
            assert logits.dtype == jnp.float32
            assert np.isfinite(logits).all()
        shapes, moved = leaves(params), leaves(statistics)
        assert {path: leaf.shape for path, leaf in moved.items()} == {
            path: shapes[path].shape for path in moved
        }

    def test_has_a_layer_type_for_every_kernel_and_for_nothing_else(self, model: Model) -> None:
        layer_types = leaves(model.layer_types)
        assert set(layer_types) == set(leaves(jax.eval_shape(model.init, KEY)))
        for path, kind in layer_types.items():
            layer, parameter = ["", *path.split("/")][-2:]
            named = layer.partition("_")[0]
            expected = named if named in LAYER_TYPES else "dense"
            assert kind == (expected if parameter == "kernel" else None)
        assert list(layer_types.values()).count("output") == 1

    def test_is_as_wide_as_asked_for(self, name: str, model: Model) -> None:
        wider = build(name, SHAPES[0], 4, width=0.4)
        assert sum(prunable(wider).values()) > 1.5 * sum(prunable(model).values())


@pytest.mark.parametrize(
    "name",
    slow_but(QUICK, (name for name in NETWORKS if name not in WITHOUT_DROPOUT)),
)
class TestDropout:
    IMAGES = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype(np.float32)

    def test_drops_in_training_alone_and_by_the_key(self, name: str) -> None:
        model, plain = (build(name, (8, 8, 3), width=0.1, dropout=dropout) for dropout in (0.5, 0.0))
        params, train = drawn(model), jax.jit(model.train)
        np.testing.assert_array_equal(
            jax.jit(model.apply)(params, self.IMAGES), jax.jit(plain.apply)(params, self.IMAGES)
        )
        one, again, other = (train(params, self.IMAGES, key)[0] for key in (KEY, KEY, OTHER))
        np.testing.assert_array_equal(one, again)
        assert not np.any(one == other)
        assert not np.any(one == jax.jit(plain.train)(params, self.IMAGES, KEY)[0])

    def test_is_absent_where_it_is_not_asked_for(self, name: str) -> None:
        model = build(name, (8, 8, 3), width=0.1)
        params, train = drawn(model), jax.jit(model.train)
        one, other = (train(params, self.IMAGES, key)[0] for key in (KEY, OTHER))
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", WITHOUT_DROPOUT)
def test_a_network_without_dropout_says_so(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^model\.dropout=0\.5: must be 0; {name} has no dropout$"):
        build(name, dropout=0.5)


def test_glorot_is_not_truncated() -> None:
    """A truncated Gaussian of the same variance ends at 2.27 deviations."""
    kernel = np.asarray(jax.jit(GLOROT, static_argnums=1)(jax.random.key(0), (784, 300)))
    assert np.abs(kernel).max() / np.std(kernel) > 3.5


def test_lenet_is_what_it_says(network: Model, params: Any) -> None:
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype(np.float32)
    x = images.reshape(5, 16)
    for layer in ("dense_1", "dense_2"):
        x = np.maximum(x @ params[layer]["kernel"] + params[layer]["bias"], 0)
    expected = x @ params["output"]["kernel"] + params["output"]["bias"]
    np.testing.assert_allclose(jax.jit(network.apply)(params, images), expected, rtol=1e-5, atol=1e-5)


class TestWhatReadsTheImages:
    def test_is_lenets_first_layer_alone(self) -> None:
        model = build("lenet_300_100", (4, 4, 1), width=0.1)
        assert model.input_layer == "dense_1"
        params = drawn(model)
        params["dense_1"]["kernel"][:] = 0
        images = np.random.default_rng(0).normal(size=(2, 4, 4, 1)).astype(np.float32)
        np.testing.assert_array_equal(*jax.jit(model.apply)(params, images))

    def test_is_nothing_where_images_have_several_channels(self) -> None:
        assert build("lenet_300_100", (4, 4, 3)).input_layer is None

    def test_is_nothing_in_a_convolutional_network(self) -> None:
        assert build("conv2", (4, 4, 1)).input_layer is None

    @pytest.mark.parametrize("name", ["dense_2", "dense_3", "output"])
    def test_is_the_first_layer_or_an_error(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"input_layer={name}: dense_1 reads the images"):
            from_linen(LeNet((3, 2), 2), (2, 2, 1), input_layer=name)


class Dotted(nn.Module):
    """Two layers, of which one is named as a path to a parameter of the other may be."""

    name_of_second: str

    @nn.compact
    def __call__(self, images: Any, train: bool) -> Any:
        x = Inner(name="block")(images.reshape(len(images), -1))
        return nn.Dense(2, name=self.name_of_second)(x)


class Inner(nn.Module):
    """A block of one layer."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        return nn.Dense(3, name="dense")(x)


@pytest.mark.parametrize("name", ["block.dense", "block/dense"])
def test_parameters_whose_joined_paths_coincide_are_refused(name: str) -> None:
    with pytest.raises(LtrError, match=rf"^{name}.(kernel|bias): the joined path of two parameters"):
        from_linen(Dotted(name), (2, 2, 1))
    assert from_linen(Dotted("block.other"), (2, 2, 1)).first == "block/dense"


class Shadowing(nn.Module):
    """A layer with a statistic of the name of a parameter."""

    @nn.compact
    def __call__(self, images: Any, train: bool) -> Any:
        scale = self.param("scale", nn.initializers.ones, (1,))
        mean = self.variable("batch_stats", "scale", lambda: np.zeros(1, np.float32))
        return nn.Dense(2)((images.reshape(len(images), -1) - mean.value) * scale)


def test_a_statistic_of_the_name_of_a_parameter_is_refused() -> None:
    with pytest.raises(LtrError, match=r"^scale: the joined path of two parameters of the network"):
        from_linen(Shadowing(), (2, 2, 1))


@pytest.mark.parametrize(
    ("size", "stride", "shape", "rows", "columns"),
    [
        (3, 1, (4, 5), [3, 4, 3], [4, 5, 4]),  # the outer taps leave the image at one end each
        (3, 2, (4, 5), [1, 2, 2], [2, 3, 2]),  # at pixels 0, 2 and 0, 2, 4
        (5, 1, (4, 2), [2, 3, 4, 3, 2], [0, 1, 2, 1, 0]),
        (1, 2, (4, 5), [2], [3]),
    ],
)
def test_a_tap_is_used_where_it_falls_on_the_image(
    size: int, stride: int, shape: Any, rows: list[int], columns: list[int]
) -> None:
    found = Conv(7, size, stride).products((1, *shape, 6))
    assert found.shape == (size, size, 1, 1)
    np.testing.assert_array_equal(found[..., 0, 0], np.outer(rows, columns))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_uses_are_those_of_the_layers_themselves(name: str) -> None:
    """The gradient of the sum of what a linear layer makes of ones counts the uses of a weight."""
    shape = (20, 16 if name == "vit_tiny" else 17, 3)
    model, found = build(name, shape, width=0.05), {}

    def note(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if context.method_name == "__call__" and isinstance(
            context.module, nn.Dense | nn.DenseGeneral | Conv
        ):
            found[context.module.path] = context.module.copy(parent=None), args[0].shape
        return call(*args, **kwargs)

    params = jax.eval_shape(model.init, jax.random.key(0))
    with nn.intercept_methods(note):
        jax.eval_shape(lambda *args: model.apply(*args), params, jnp.zeros((1, *shape)))
    assert len(found) == len(jax.tree.leaves(model.uses))
    assert "/".join(next(iter(found))) == model.first
    checked = set()
    for path, (layer, of) in found.items():
        if (key := (type(layer), getattr(layer, "size", 0), getattr(layer, "stride", 0), of[1:3])) in checked:
            continue
        checked.add(key)
        ones = jnp.ones(of)
        weights = jax.tree.map(jnp.zeros_like, layer.init(jax.random.key(0), ones))
        counted = jax.grad(lambda weights, layer=layer, ones=ones: layer.apply(weights, ones).sum())(weights)
        leaf = model.uses
        for part in (*path, "kernel"):
            leaf = leaf[part]
        kernel = counted["params"]["kernel"]
        np.testing.assert_array_equal(kernel, np.broadcast_to(leaf, kernel.shape))


def test_building_and_initialising_traces_a_network_once() -> None:
    traces = []

    class Network(nn.Module):
        @nn.compact
        def __call__(self, images: jax.Array, train: bool) -> jax.Array:
            traces.append(images.shape)
            x = nn.BatchNorm(use_running_average=not train)(images.reshape(len(images), -1))
            return nn.Dense(2)(x)

    model = from_linen(Network(), (2, 3, 1))
    params = jax.eval_shape(jax.jit(model.init), jax.random.key(0))
    assert leaves(params)["Dense_0/kernel"].shape == (6, 2)
    assert traces == [(1, 2, 3, 1)]


def test_an_unknown_network_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^model.name=conv3: unknown network; did you mean conv\d\?$"):
        build("conv3")


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("conv2", 2),
        ("conv4", 4),
        ("conv6", 8),
        ("resnet20", 4),
        ("wide_resnet", 4),
        ("resnet18", 8),
        ("vgg16", 16),
        ("vgg19", 16),
    ],
)
def test_networks_need_images_that_they_can_halve(name: str, least: int) -> None:
    said = rf"^model.name={name}: needs images of at least {least}x{least}, these are \({least - 1}, 32"
    with pytest.raises(ConfigError, match=said):
        build(name, (least - 1, 32, 3))

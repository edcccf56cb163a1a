"""Which layers a run trains packed."""

import dataclasses
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import pytest

from ltr import kernels
from ltr.engine import break_even
from ltr.engine.measurements import LayerShape
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words
from ltr.experiment.placement import (
    FEWEST_ZEROS,
    arithmetic,
    needs_measurement,
    packable_layers,
    packed_layers,
    place,
    share_size,
)
from ltr.experiment.spec import RunSpec
from ltr.models.arithmetic import XLA, Arithmetic
from ltr.models.layers import Dense, flatten
from ltr.models.model import Model, from_linen
from ltr.models.registry import NETWORKS

MEASURED = {"dense_1": 0.5, "dense_2": 0.6, "output": 1.0}
CONV2 = "model=conv2", "dataset=cifar10"
CHOSEN = Arithmetic({"conv_1": 4, "conv_2": 4}, ("dense_1", "dense_2", "output"))


@pytest.fixture(autouse=True)
def _measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is spent on measuring, and there are kernels."""
    monkeypatch.setattr(break_even, "densities", lambda layers, *_: {name: MEASURED[name] for name in layers})
    monkeypatch.setattr(kernels, "instruction_set", lambda: "AVX9")


def spec(*words: str) -> RunSpec:
    return RunSpec.from_experiment(from_words([*words]))


def packing(*words: str, **more: Any) -> dict[str, float]:
    return dict(packed_layers(spec(*words), Path("unused"), str, **more))


def test_by_the_break_even_densities_of_this_machine() -> None:
    assert packing() == MEASURED


def test_as_the_run_was_begun() -> None:
    assert packing(recorded={"output": 0.25}) == {"output": 0.25}
    assert packing(recorded={}) == {}


def test_always_and_never_whatever_is_recorded() -> None:
    assert packing("sparse=always", recorded={"output": 0.25}) == dict.fromkeys(MEASURED, 1.0)
    assert packing("sparse=never", recorded={"output": 0.25}) == {}


@pytest.mark.parametrize(
    ("words", "recorded", "are_known", "needed"),
    [
        ((), None, False, True),
        ((), None, True, False),
        ((), {"output": 0.25}, False, False),
        (("sparse=always",), None, False, False),
        (("sparse=never",), None, False, False),
    ],
)
def test_measurements_are_needed_where_break_even_densities_decide(
    words: tuple[str, ...],
    recorded: dict[str, float] | None,
    are_known: bool,
    needed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(break_even, "are_known", lambda *_: are_known)
    assert needs_measurement(spec(*words), Path("unused"), recorded, XLA, 0.0) is needed


def test_convolutions_stay_dense_beside_batch_normalisation_by_kernels() -> None:
    resnet = "model=resnet20", "dataset=cifar10"
    norms = Arithmetic({}, (), spec(*resnet).model.batch_norms)
    assert packing(*resnet, arithmetic=norms) == {"output": 1.0}
    assert "block_1/conv_1" in packing(*resnet, "sparse=always", arithmetic=norms)


def test_dense_layers_and_convolutions_can_be_packed() -> None:
    layers = packable_layers(spec("model=conv2", "dataset=cifar10"))
    assert set(layers) == {"conv_1", "conv_2", "dense_1", "dense_2", "output"}
    assert layers["conv_1"] == LayerShape((3, 3, 3, 64), 32 * 32, is_first=True)
    assert layers["output"] == LayerShape((256, 10), 1)


@pytest.mark.parametrize(("dataset", "reads_pixels"), [("mnist", True), ("cifar10", False)])
def test_a_dense_layer_reads_images_of_one_channel_as_pixels(dataset: str, reads_pixels: bool) -> None:
    layers = packable_layers(spec("model=lenet_300_100", f"dataset={dataset}"))
    assert layers["dense_1"].reads_pixels == reads_pixels
    assert not layers["dense_2"].reads_pixels


def test_the_arithmetic_is_as_chosen_first_or_that_of_xla() -> None:
    conv2, recorded = spec(*CONV2), Arithmetic({"conv_2": 2}, ("dense_2",))
    assert arithmetic(conv2, 0.0) == CHOSEN
    assert arithmetic(conv2, 0.0, recorded) == recorded
    assert arithmetic(conv2, 0.0, XLA) == XLA
    assert arithmetic(spec(*CONV2, "arithmetic=xla"), 0.0, recorded) == XLA


def test_a_layer_that_reads_images_is_fused_if_many_pixels_are_zero() -> None:
    assert arithmetic(spec(), FEWEST_ZEROS) == Arithmetic({}, tuple(MEASURED))
    assert arithmetic(spec(), FEWEST_ZEROS - 0.01) == Arithmetic({}, ("dense_2", "output"))


@pytest.mark.parametrize("word", ["optimizer.clip=1", "lanes_per_device=2"])
def test_no_kernel_is_fused_where_it_cannot_be(word: str) -> None:
    """Clipping needs the norm of all gradients, and lanes side by side are XLA's."""
    limited = spec(*CONV2, word, "devices=1")
    assert arithmetic(limited, 0.0) == CHOSEN._replace(fused=())
    assert arithmetic(limited, 0.0, CHOSEN) == CHOSEN._replace(fused=())


def test_batch_normalisations_are_the_kernels_unless_the_run_began_without() -> None:
    resnet = spec("model=resnet20", "dataset=cifar10")
    found = arithmetic(resnet, 0.0)
    assert len(found.batch_norms) == 1 + 2 * 9 + 2
    assert arithmetic(resnet, 0.0, found._replace(batch_norms=())).batch_norms == ()


def test_tokens_are_not_fused() -> None:
    assert arithmetic(spec("model=vit_tiny", "dataset=cifar10"), 0.0).fused == ("output",)


def test_a_dense_layer_is_timed_as_it_will_train() -> None:
    layers = packable_layers(spec(*CONV2), Arithmetic({"conv_2": 4}, ("dense_2",)))
    assert [layer.tile for layer in layers.values()] == [0, 4, 0, 0, 0]
    assert [layer.is_fused for layer in layers.values()] == [False, False, False, True, False]
    layers = packable_layers(spec(), zeros=0.81)
    assert [layer.zeros for layer in layers.values()] == [0.8, 0.0, 0.0]


class TestWithoutKernels:
    @pytest.fixture(autouse=True)
    def _without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(kernels, "instruction_set", lambda: None)

    @pytest.mark.parametrize("sparse", ["auto", "never"])
    def test_there_is_none(self, sparse: str) -> None:
        assert packing(f"sparse={sparse}", recorded=MEASURED) == {}

    def test_arithmetic_is_that_of_xla(self) -> None:
        assert arithmetic(spec(*CONV2), 0.0, CHOSEN) == XLA

    def test_always_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"^sparse=always: needs ltr's kernels"):
            packing("sparse=always")


LARGE = "model=conv2", "dataset=cifar10", "model.width=1", "replicates=1", "arms=[ticket]"
"""A lane alone, whose steps are long."""


@pytest.mark.parametrize(
    ("words", "count", "splits_batches"),
    [
        (LARGE, 2, True),
        ((*LARGE, "parallel=lanes"), 1, False),
        ((*LARGE, "replicates=2"), 2, False),
        ((*LARGE, "batch_size=61"), 1, False),
        (("replicates=1", "arms=[ticket]"), 1, False),
        (("parallel=batch",), 2, True),
        (("parallel=batch", "devices=1"), 1, False),
    ],
)
def test_devices_share_the_batches_of_few_lanes_of_a_large_network(
    words: tuple[str, ...], count: int, splits_batches: bool
) -> None:
    run = spec(*words)
    placed = place(run)
    assert (len(placed.devices), placed.splits_batches) == (count, splits_batches)
    assert share_size(run) == run.experiment.batch_size // (count if splits_batches else 1)


def test_devices_that_do_not_divide_a_batch_are_refused() -> None:
    refusal = r"^devices=8: must divide batch_size=60 with parallel=batch; choose devices=6 or batch_size=64$"
    with pytest.raises(ConfigError, match=refusal):
        from_words(["parallel=batch", "devices=8"])
    assert from_words(["parallel=lanes", "devices=8"]).devices == 8
    none = r"^parallel=batch: none of 2 to 2 devices divides batch_size=61; choose batch_size=62$"
    with pytest.raises(ConfigError, match=none):
        place(spec("parallel=batch", "batch_size=61"))


def test_batch_normalisation_of_shares_is_left_to_xla_and_dense_layers_stay_fused() -> None:
    resnet = spec("model=resnet20", "parallel=batch")
    assert resnet.model.batch_norms
    assert arithmetic(resnet, 0.5).batch_norms == ()
    assert arithmetic(resnet, 0.5).fused == ("output",)
    assert arithmetic(spec("parallel=batch"), 0.5, CHOSEN).fused == CHOSEN.fused


class Noisy(nn.Module):
    """Adds noise of its own."""

    @nn.compact
    def __call__(self, images: jax.Array, train: bool) -> jax.Array:
        x = Dense(10)(flatten(images))
        return x + jax.random.normal(self.make_rng("dropout"), x.shape) if train else x


def test_a_network_that_draws_by_itself_shares_no_batches(registered: Any) -> None:
    def noisy(config: Any, image_shape: tuple[int, int, int], classes: int) -> Model:
        return from_linen(Noisy(), image_shape)

    registered(NETWORKS, dataclasses.replace(NETWORKS["lenet_300_100"], name="noisy"), noisy)
    assert spec("model.name=noisy").draws_by_itself
    assert not spec("model=conv2", "model.dropout=0.5").draws_by_itself
    with pytest.raises(ConfigError, match=r"^parallel=batch: model=noisy draws random numbers outside of "):
        place(spec("model.name=noisy", "parallel=batch"))

from typing import Any

import jax
import numpy as np
import pytest

from ltr import kernels
from ltr.data.dataset import Dataset
from ltr.engine import devices
from ltr.engine.devices import Placement
from ltr.engine.examples import Examples, Form, form, lay_out, normalise, prepare_inputs
from ltr.models.model import Model


@pytest.fixture(scope="module")
def data(blobs: Dataset) -> Examples:
    return lay_out(blobs)


def test_examples_hold_the_bytes_of_the_data_set(blobs: Dataset) -> None:
    data: Any = lay_out(blobs)
    assert data.images.dtype == data.held_out.images.dtype == np.uint8
    for batches, split in ((data.validation, blobs.validation), (data.test, blobs.test)):
        images, labels = (leaf[slice(*batches)] for leaf in data.held_out)
        real = labels >= 0
        np.testing.assert_array_equal(images[real], split.images)
        np.testing.assert_array_equal(labels[real], split.labels)


def test_all_devices_use_the_same_images(data: Examples) -> None:
    """Their arrays begin at a cache line; labels, which are small, may be copied."""
    placement = Placement(tuple(jax.devices()[:2]), 1)
    copies = devices.replicate(data, placement)
    for host, device in ((data.images, copies.images), (data.held_out.images, copies.held_out.images)):
        shards = [shard.data.unsafe_buffer_pointer() for shard in device.addressable_shards]
        assert shards == [host.ctypes.data] * 2


def test_images_are_normalised_to_zero_mean_and_unit_deviation(blobs: Dataset) -> None:
    data = lay_out(blobs)
    normal = np.asarray(jax.jit(normalise)(data.images, data))
    assert normal.dtype == np.float32
    assert normal.mean() == pytest.approx(0, abs=1e-5)
    assert normal.std() == pytest.approx(1, abs=1e-5)


class TestWhatANetworkIsGiven:
    @pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
    @pytest.mark.parametrize(
        ("form", "kind"), [(Form.PIXELS, kernels.Pixels), (Form.BYTES, kernels.ByteImages)]
    )
    def test_pixels_or_bytes_where_asked(self, form: Form, kind: type, data: Examples) -> None:
        inputs = prepare_inputs(data.images, data, form, np.array([3, 1], np.int32))
        assert type(inputs) is kind
        assert inputs.shape == (2, 4, 4, 1)
        assert inputs.reshape(2, -1).shape == (2, 16)

    def test_an_input_layer_reads_what_its_kernel_reads(self, network: Model) -> None:
        assert form(network, (), ()) is Form.FLOATS
        assert form(network, ("dense_1",), ("dense_2",)) is Form.BYTES
        assert form(network, ("dense_1",), ("dense_1",)) is Form.PIXELS
        assert form(network._replace(input_layer=None), ("dense_1",), ("dense_1",)) is Form.FLOATS

    def test_normalised_floats_elsewhere(self, data: Examples) -> None:
        chosen = np.array([3, 1], np.int32)
        inputs = jax.jit(prepare_inputs)(data.images, data, chosen=chosen)
        expected = jax.jit(normalise)(data.images[chosen], data)
        np.testing.assert_array_equal(inputs, expected)

import jax
import numpy as np
import pytest

from ltr import kernels
from ltr.data.dataset import Dataset
from ltr.engine.examples import Examples, lay_out, normalise, prepare_inputs


@pytest.fixture(scope="module")
def data(blobs: Dataset) -> Examples:
    return lay_out(blobs)


def test_examples_hold_the_bytes_of_the_data_set(blobs: Dataset) -> None:
    data = lay_out(blobs)
    assert data.images.dtype == data.held_out.images.dtype == np.uint8
    for batches, split in ((data.validation, blobs.validation), (data.test, blobs.test)):
        images, labels = (leaf[slice(*batches)] for leaf in data.held_out)
        real = labels >= 0
        np.testing.assert_array_equal(images[real], split.images)
        np.testing.assert_array_equal(labels[real], split.labels)


def test_images_are_normalised_to_zero_mean_and_unit_deviation(blobs: Dataset) -> None:
    data = lay_out(blobs)
    normal = np.asarray(jax.jit(normalise)(data.images, data))
    assert normal.dtype == np.float32
    assert normal.mean() == pytest.approx(0, abs=1e-5)
    assert normal.std() == pytest.approx(1, abs=1e-5)


class TestWhatANetworkIsGiven:
    @pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
    def test_pixels_where_asked(self, data: Examples) -> None:
        inputs = prepare_inputs(data.images, data, as_pixels=True, chosen=np.array([3, 1], np.int32))
        assert isinstance(inputs, kernels.Pixels)
        assert inputs.shape == (2, 4, 4, 1)
        assert inputs.reshape(2, -1).shape == (2, 16)

    def test_normalised_floats_elsewhere(self, data: Examples) -> None:
        chosen = np.array([3, 1], np.int32)
        inputs = jax.jit(prepare_inputs)(data.images, data, chosen=chosen)
        expected = jax.jit(normalise)(data.images[chosen], data)
        np.testing.assert_array_equal(inputs, expected)

from typing import Any

import jax
import numpy as np
import pytest

from ltr import kernels
from ltr.data.arrays import Split
from ltr.data.dataset import Dataset
from ltr.engine.evaluation import evaluate, prepared
from ltr.engine.examples import Examples, lay_out
from ltr.engine.packing import PackSpec
from ltr.models.model import Model


def metrics_of(network: Model, params: Any, split: Split, blobs: Dataset) -> list[float]:
    """Loss and accuracy, by hand."""
    logits = np.asarray(network.apply(params, (split.images - blobs.mean) / blobs.std))
    losses = np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(logits)), split.labels]
    return [losses.mean(), (logits.argmax(-1) == split.labels).mean()]


@pytest.mark.parametrize("count", [1, 127, 128, 129, 250, 1009])
def test_every_example_counts(count: int, network: Model, params: Any, blobs: Dataset) -> None:
    chosen = np.random.default_rng(count).integers(0, len(blobs.train.labels), count)
    split = Split(blobs.train.images[chosen], blobs.train.labels[chosen])
    data = lay_out(blobs._replace(test=split))
    compiled = jax.jit(lambda batches: evaluate(network, params, data, batches))
    for batches, of in ((data.test, split), (data.validation, blobs.validation)):
        np.testing.assert_allclose(compiled(batches), metrics_of(network, params, of, blobs), rtol=1e-5)


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
class TestPrepared:
    def test_metrics_are_the_same(self, network: Model, params: Any, mask: Any, blobs: Dataset) -> None:
        data = lay_out(blobs)
        kept = mask["dense_1"]["kernel"]
        spec = PackSpec(kept, kept.size)
        packed = params | {"dense_1": params["dense_1"] | {"kernel": spec.pack(params["dense_1"]["kernel"])}}

        def measured(data: Examples) -> Any:
            return evaluate(network, packed, data, data.test, {"dense_1": spec.pattern})

        found = jax.jit(lambda: measured(prepared(data, data.test[1])))()
        np.testing.assert_array_equal(found, jax.jit(lambda: measured(data))())

    def test_only_the_first_batches_are_converted(self, blobs: Dataset) -> None:
        data = lay_out(blobs)
        images = jax.jit(lambda: prepared(data, data.validation[1]).held_out.images)()
        assert isinstance(images, kernels.Pixels)
        empty = [not leaf.any() for leaf in images.words]
        assert empty == [False] * data.validation[1] + [True] * (data.test[1] - data.test[0])

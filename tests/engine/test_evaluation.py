from functools import partial
from typing import Any

import jax
import numpy as np
import pytest

from ltr import kernels
from ltr.core import masks
from ltr.data.arrays import Split
from ltr.data.dataset import Dataset
from ltr.engine.evaluation import evaluate
from ltr.engine.examples import lay_out
from ltr.engine.packing import PackSpec
from ltr.models.model import Model
from tests.marks import slow


def metrics_of(network: Model, params: Any, split: Split, blobs: Dataset) -> list[float]:
    """Loss and accuracy, by hand."""
    logits = np.asarray(network.apply(params, (split.images - blobs.mean) / blobs.std))
    losses = np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(logits)), split.labels]
    return [losses.mean(), (logits.argmax(-1) == split.labels).mean()]


@pytest.mark.parametrize("count", [1, slow(127), 128, 129, slow(250), slow(1009)])
def test_every_example_counts(count: int, network: Model, params: Any, blobs: Dataset) -> None:
    chosen = np.random.default_rng(count).integers(0, len(blobs.train.labels), count)
    split = Split(blobs.train.images[chosen], blobs.train.labels[chosen])
    data = lay_out(blobs._replace(test=split))
    compiled = jax.jit(lambda batches: evaluate(network, params, data, batches))
    for batches, of in ((data.test, split), (data.validation, blobs.validation)):
        np.testing.assert_allclose(compiled(batches), metrics_of(network, params, of, blobs), rtol=1e-5)


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
@pytest.mark.parametrize("count", [1, 129])
def test_a_fused_input_layer_reads_bytes(count: int, network: Model, params: Any, blobs: Dataset) -> None:
    """The metrics are those of floats; the padding of a batch, whose images are all zero, does not count."""
    chosen = np.random.default_rng(count).integers(0, len(blobs.train.labels), count)
    split = Split(blobs.train.images[chosen], blobs.train.labels[chosen])
    data, read = lay_out(blobs._replace(test=split)), []

    def noted(params: Any, images: Any, *more: Any) -> Any:
        read.append(isinstance(images, kernels.ByteImages))
        return network.apply(params, images, *more)

    for fused, as_bytes in ((("dense_1", "output"), True), (("output",), False)):
        measured = partial(evaluate, network._replace(apply=noted), params, data, fused=fused)
        for batches, of in ((data.test, split), (data.validation, blobs.validation)):
            found = jax.jit(measured)(batches)
            np.testing.assert_allclose(found, metrics_of(network, params, of, blobs), rtol=1e-5)
        assert read.pop() is as_bytes


@pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")
@pytest.mark.parametrize("packs", [("dense_1",), ("dense_1", "dense_2", "output"), ("output",)])
def test_packed_layers_give_the_same_metrics(
    packs: tuple[str, ...], network: Model, params: Any, mask: Any, blobs: Dataset
) -> None:
    data, masked = lay_out(blobs), masks.apply(mask, params)
    specs = {name: PackSpec(mask[name]["kernel"], params[name]["kernel"].size) for name in packs}
    packed = masked | {
        name: masked[name] | {"kernel": spec.pack(masked[name]["kernel"])} for name, spec in specs.items()
    }
    patterns = {name: spec.pattern for name, spec in specs.items()}
    fused = ("dense_1", "dense_2", "output")
    for batches, of in ((data.test, blobs.test), (data.validation, blobs.validation)):
        found = jax.jit(partial(evaluate, network, packed, data, patterns=patterns, fused=fused))(batches)
        np.testing.assert_allclose(found, metrics_of(network, masked, of, blobs), rtol=1e-5)

"""Training as pure functions: the loop over the steps of a method, and the evaluation.

Functions here handle one lane; `ltr.engine.devices` maps them over many lanes and devices. Masks and weights
are arguments, so one compiled program serves every lane of every round. Packed lanes need one program for
each combination of capacities.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Bool, Float32, Int32, UInt8

from ltr import kernels
from ltr.core import rng
from ltr.core.types import Params
from ltr.data.arrays import Split
from ltr.data.augmentation import Augmentation, none
from ltr.data.dataset import Dataset
from ltr.kernels import Array, Images
from ltr.methods.method import Lane, Method
from ltr.models.model import Model
from ltr.models.packed import NO_PATTERNS, Patterns

MAX_SEGMENTS = 64
"""Most segments of a chunk."""

EVALUATION_BATCH = 128
"""Most examples evaluated at once, so that their activations stay in a core's cache.

They fill four cache lines of `ltr.kernels.Pixels`.
"""


LossAndAccuracy = Float32[jax.Array, "2"]
"""Means over examples: loss in nats, accuracy as a fraction."""


class Batches(NamedTuple):
    """A split in batches of equal size; the padding of the last has labels of -1.

    `images` are bytes, or inputs of a network (see `prepared`).
    """

    images: UInt8[Array, "batches batch height width channels"] | Images
    labels: Int32[Array, "batches batch"]


class Examples(NamedTuple):
    """A data set in the layout of a device.

    Attributes:
        images, labels: of training.
        validation, test: splits for evaluation.
        mean, std: for normalisation.
    """

    images: UInt8[Array, "examples height width channels"]
    labels: Int32[Array, "examples"]
    validation: Batches
    test: Batches
    mean: Float32[Array, "channels"]
    std: Float32[Array, "channels"]


class Chunk(NamedTuple):
    """Part of a training that the program runs before it returns to the host.

    It consists of segments, which end at `stops[0]`, ..., `stops[segments - 1]`.

    Attributes:
        step: steps taken so far.
        last_evaluation: step of the last evaluation.
        stops: ascending from `step`; entries from `segments` on are ignored.
        evaluate: whether to evaluate at a stop.
        segments: number of segments.
        last: step at which the training ends.
    """

    step: Int32[Array, ""]
    last_evaluation: Int32[Array, ""]
    stops: Int32[Array, "{MAX_SEGMENTS}"]
    evaluate: Bool[Array, "{MAX_SEGMENTS}"]
    segments: Int32[Array, ""]
    last: Int32[Array, ""]


class Metrics(NamedTuple):
    """Metrics of a lane at its evaluations, or at the segments of a chunk from the program.

    Losses are means in nats, accuracies fractions. `train_loss` is the mean over the steps since the last
    evaluation, NaN if there were none. A segment without evaluation has NaN in all fields. The test fields
    are NaN where the test set was not evaluated.
    """

    train_loss: Float32[Array, "evaluations"]
    val_loss: Float32[Array, "evaluations"]
    val_accuracy: Float32[Array, "evaluations"]
    test_loss: Float32[Array, "evaluations"]
    test_accuracy: Float32[Array, "evaluations"]

    def with_test(self, number: int, loss: float, accuracy: float) -> "Metrics":
        """Return NumPy metrics with the test loss and accuracy of evaluation `number` filled in."""
        losses, accuracies = self.test_loss.copy(), self.test_accuracy.copy()
        losses[number], accuracies[number] = loss, accuracy
        return self._replace(test_loss=losses, test_accuracy=accuracies)


class Program(NamedTuple):
    """Training and evaluation of a lane by one method.

    Attributes:
        method: the method.
        run: function to compile: lane, data set, chunk -> the lane after the chunk, its metrics by segment,
            and its test loss and accuracy at the early stop, NaN unless the training ends.
    """

    method: Method
    run: Callable[[Lane, Examples, Chunk], tuple[Lane, Metrics, LossAndAccuracy]]


def examples(dataset: Dataset) -> Examples:
    """Lay out a data set for a device; no example of any split is dropped."""
    return Examples(
        *dataset.train, _batches(dataset.validation), _batches(dataset.test), dataset.mean, dataset.std
    )


def _batches(split: Split) -> Batches:
    count = -(-len(split.labels) // EVALUATION_BATCH)
    size = -(-len(split.labels) // count)
    padding = count * size - len(split.labels)
    images = np.pad(split.images, [(0, padding), *[(0, 0)] * 3])
    labels = np.pad(split.labels, (0, padding), constant_values=-1)
    return Batches(images.reshape(count, size, *images.shape[1:]), labels.reshape(count, size))


def normalise(
    images: UInt8[Array, "*batch height width channels"], data: Examples
) -> Float32[jax.Array, "*batch height width channels"]:
    """Scale images to zero mean and unit standard deviation over the training set."""
    return (jnp.asarray(images, jnp.float32) - data.mean) / data.std


def prepare_inputs(
    images: UInt8[Array, "count height width channels"],
    data: Examples,
    as_pixels: bool = False,
    chosen: Int32[Array, "batch"] | None = None,
    coming: Int32[Array, "batch"] | None = None,
) -> Images:
    """Normalise images for a network.

    Args:
        images: images of bytes.
        data: data set of the images; its mean and standard deviation are used.
        as_pixels: whether to return `ltr.kernels.Pixels`, which a packed layer normalises itself (see
            `Model.input_layer`).
        chosen: indices of the images to take; all by default.
        coming: guess at the indices of the next call, to prefetch them.
    """
    if as_pixels:
        which = jnp.arange(len(images)) if chosen is None else chosen
        return kernels.pixels(images, which, data.mean, data.std, coming)
    return normalise(images if chosen is None else images[chosen], data)


def prepared(split: Batches, data: Examples) -> Batches:
    """Return a split whose images are `ltr.kernels.Pixels`, for several evaluations of packed lanes."""

    def pixels(images: UInt8[jax.Array, "batch height width channels"]) -> Images:
        return prepare_inputs(images, data, as_pixels=True)

    return split._replace(images=lax.map(pixels, split.images))


def evaluate(
    model: Model,
    params: Params,
    split: Batches,
    data: Examples,
    patterns: Patterns = NO_PATTERNS,
) -> LossAndAccuracy:
    """Return mean loss and accuracy over all examples of a split.

    `patterns` are those of the packed kernels in `params`.
    """

    def batch(totals: Float32[jax.Array, "3"], arrays: Batches) -> tuple[Float32[jax.Array, "3"], None]:
        images, labels = arrays
        real = labels >= 0
        if not isinstance(images, kernels.Pixels | kernels.ByteImages):
            images = prepare_inputs(images, data, model.input_layer in patterns)
        logits = model.apply(params, images, patterns)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(labels, 0))
        hits = logits.argmax(-1) == labels
        sums = [jnp.where(real, values, 0).sum() for values in (losses, hits, real)]
        return totals + jnp.stack(sums).astype(jnp.float32), None

    (loss, hits, count), _ = lax.scan(batch, jnp.zeros(3), split)
    return jnp.stack([loss, hits]) / count


def program(
    model: Model,
    method: Method,
    batch_size: int,
    augment: Augmentation = none,
    test_curves: bool = False,
) -> Program:
    """Return the program of a method.

    The training set is shuffled in every epoch. The order depends on the lane's key and the epoch only.
    Examples that do not fill a last batch are left out of that epoch.

    No decision depends on the test set. It is evaluated at the end only, with the last weights and those of
    the early stop, which the lane keeps. With `test_curves` it is evaluated at every evaluation.
    """

    def run(lane: Lane, data: Examples, chunk: Chunk) -> tuple[Lane, Metrics, LossAndAccuracy]:
        count = data.labels.shape[0]
        steps_per_epoch = count // batch_size
        key = jax.random.wrap_key_data(jnp.asarray(lane.key))
        as_pixels = model.input_layer in lane.patterns
        validation = prepared(data.validation, data) if as_pixels else data.validation

        def order(step: Int32[Array, ""]) -> Int32[jax.Array, "examples"]:
            return rng.permutation(jax.random.fold_in(key, step // steps_per_epoch), count)

        def batch(
            lane: Lane,
            chosen: Int32[jax.Array, "batch"],
            coming: Int32[jax.Array, "batch"],
            number: Int32[jax.Array, ""],
        ) -> Images:
            images, taken = data.images, [chosen, coming]
            if augment is not none:
                images, taken = augment(images[chosen], rng.fold(key, "augmentation", number)), []
            if model.input_layer in method.fused and not as_pixels:
                rows, *_ = taken or [jnp.arange(batch_size)]
                return kernels.byte_images(images, rows, data.mean, data.std)
            return prepare_inputs(images, data, as_pixels, *taken)

        def step(number: jax.Array, carry: Any) -> Any:
            lane, shuffled = carry
            position = number % steps_per_epoch
            is_new = (position == 0) | (number == chunk.step)
            shuffled = lax.cond(is_new, lambda: order(number), lambda: shuffled)
            chosen, coming = (  # after the last batch of an epoch the guess is wrong
                lax.dynamic_slice_in_dim(shuffled, index * batch_size, batch_size)
                for index in (position, position + 1)
            )
            lane, loss = method.step(lane, batch(lane, chosen, coming, number), data.labels[chosen], number)
            return lane._replace(loss=lane.loss + loss), shuffled

        def score(
            lane: Lane, stop: Array, last_evaluation: Array
        ) -> tuple[Any, Any, Any, jax.Array, jax.Array]:
            _, params = method.network(lane)

            def measured(split: Batches, params: Params) -> LossAndAccuracy:
                return evaluate(model, params, split, data, lane.patterns)

            loss, accuracy = measured(validation, params)
            is_best = loss < lane.best_val_loss
            best_params = jax.tree.map(
                lambda new, old: jnp.where(is_best, new, old), params, lane.best_params
            )
            ends = stop == chunk.last
            test = lax.cond(ends | test_curves, lambda: measured(data.test, params), lambda: blank[:2])
            early = lax.cond(ends, lambda: measured(data.test, best_params), lambda: blank[:2])
            metrics = jnp.stack([lane.loss / (stop - last_evaluation), loss, accuracy, *test])
            return jnp.zeros(()), jnp.minimum(lane.best_val_loss, loss), best_params, metrics, early

        def no_score(lane: Lane, *_: Array) -> tuple[Any, Any, Any, jax.Array, jax.Array]:
            return lane.loss, lane.best_val_loss, lane.best_params, blank, blank[:2]

        def segment(number: jax.Array, carry: Any) -> Any:
            lane, shuffled, start, last_evaluation, metrics, _ = carry
            stop, evaluating = chunk.stops[number], chunk.evaluate[number]
            lane, shuffled = lax.fori_loop(start, stop, step, (lane, shuffled))
            loss, best_val_loss, best_params, scores, early = lax.cond(
                evaluating, score, no_score, lane, stop, last_evaluation
            )
            lane = lane._replace(loss=loss, best_val_loss=best_val_loss, best_params=best_params)
            last_evaluation = jnp.where(evaluating, stop, last_evaluation)
            return lane, shuffled, stop, last_evaluation, metrics.at[number].set(scores), early

        blank = jnp.full(len(Metrics._fields), jnp.nan)
        carry = (
            lane,
            jnp.zeros(count, jnp.int32),  # shuffled in the first step, so that it is compiled once
            chunk.step,
            chunk.last_evaluation,
            jnp.tile(blank, (MAX_SEGMENTS, 1)),
            blank[:2],
        )
        lane, *_, metrics, early = lax.fori_loop(0, chunk.segments, segment, carry)
        return lane, Metrics(*metrics.T), early

    return Program(method, run)

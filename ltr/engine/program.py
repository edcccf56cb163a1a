"""Training as pure functions: the loop over the steps of a method, and the evaluation.

Functions here handle one lane; `ltr.engine.devices` maps them over many lanes and devices. Masks and weights
are arguments, so one compiled program serves every lane of every round. Packed lanes need one program for
each combination of capacities.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from ltr import kernels
from ltr.core import rng
from ltr.data.arrays import Split
from ltr.data.augmentation import Augmentation, none
from ltr.data.dataset import Dataset
from ltr.kernels import Images
from ltr.methods.method import Array, Lane, Method
from ltr.models.model import Model
from ltr.models.packed import NO_PATTERNS, Patterns

MAX_SEGMENTS = 64
"""Most segments of a chunk."""

EVALUATION_BATCH = 128
"""Most examples evaluated at once, so that their activations stay in a core's cache.

They fill four cache lines of `ltr.kernels.Pixels`.
"""


class Examples(NamedTuple):
    """A data set in the layout of a device.

    Attributes:
        images: training images, uint8 [examples, height, width, channels].
        labels: training labels, int32 [examples].
        validation, test: uint8 images [batches, batch, height, width, channels] and int32 labels
            [batches, batch]; the padding of the last batch has labels of -1.
        mean, std: float32 [channels], for normalisation.
    """

    images: Array
    labels: Array
    validation: tuple[Array, Array]
    test: tuple[Array, Array]
    mean: Array
    std: Array


class Chunk(NamedTuple):
    """Part of a training that the program runs before it returns to the host.

    It consists of segments, which end at `stops[0]`, ..., `stops[segments - 1]`.

    Attributes:
        step: int32, steps taken so far.
        last_evaluation: int32, step of the last evaluation.
        stops: int32 [MAX_SEGMENTS], ascending from `step`; entries from `segments` on are ignored.
        evaluate: bool [MAX_SEGMENTS], whether to evaluate at a stop.
        segments: int32, number of segments.
        last: int32, step at which the training ends.
    """

    step: Array
    last_evaluation: Array
    stops: Array
    evaluate: Array
    segments: Array
    last: Array


class Metrics(NamedTuple):
    """Metrics of a lane, float32 [evaluations], or [segments] from the program.

    Losses are means in nats, accuracies fractions. `train_loss` is the mean over the steps since the last
    evaluation, NaN if there were none. A segment without evaluation has NaN in all fields. The test fields
    are NaN where the test set was not evaluated.
    """

    train_loss: Array
    val_loss: Array
    val_accuracy: Array
    test_loss: Array
    test_accuracy: Array

    def with_test(self, number: int, loss: float, accuracy: float) -> Self:
        """Return NumPy metrics with the test loss and accuracy of evaluation `number` filled in."""
        losses, accuracies = self.test_loss.copy(), self.test_accuracy.copy()
        losses[number], accuracies[number] = loss, accuracy
        return self._replace(test_loss=losses, test_accuracy=accuracies)


class Program(NamedTuple):
    """Training and evaluation of a lane by one method.

    Attributes:
        method: the method.
        run: function to compile: lane, data set, chunk -> the lane after the chunk, its metrics by segment,
            and test loss and accuracy at the early stop, float32 [2], NaN unless the training ends.
    """

    method: Method
    run: Callable[[Lane, Examples, Chunk], tuple[Lane, Metrics, jax.Array]]


def examples(dataset: Dataset) -> Examples:
    """Lay out a data set for a device; no example of any split is dropped."""
    return Examples(
        *dataset.train, _batches(dataset.validation), _batches(dataset.test), dataset.mean, dataset.std
    )


def _batches(split: Split) -> tuple[np.ndarray, np.ndarray]:
    count = -(-len(split.labels) // EVALUATION_BATCH)
    size = -(-len(split.labels) // count)
    padding = count * size - len(split.labels)
    images = np.pad(split.images, [(0, padding), *[(0, 0)] * 3])
    labels = np.pad(split.labels, (0, padding), constant_values=-1)
    return images.reshape(count, size, *images.shape[1:]), labels.reshape(count, size)


def normalise(images: Array, data: Examples) -> jax.Array:
    """Scale uint8 images to float32 of zero mean and unit standard deviation over the training set."""
    return (jnp.asarray(images, jnp.float32) - data.mean) / data.std


def prepare_inputs(
    images: Array,
    data: Examples,
    as_pixels: bool = False,
    chosen: Array | None = None,
    coming: Array | None = None,
) -> Images:
    """Normalise images for a network.

    Args:
        images: uint8 [count, height, width, channels].
        data: data set of the images; its mean and standard deviation are used.
        as_pixels: whether to return `ltr.kernels.Pixels`, which a packed layer normalises itself (see
            `Model.input_layer`).
        chosen: indices of the images to take, int32 [batch]; all by default.
        coming: guess at the indices of the next call, int32 [batch], to prefetch them.
    """
    if as_pixels:
        which = jnp.arange(len(images)) if chosen is None else chosen
        return kernels.pixels(images, which, data.mean, data.std, coming)
    return normalise(images if chosen is None else images[chosen], data)


def evaluate(
    model: Model,
    params: Any,
    split: tuple[Array, Array],
    data: Examples,
    patterns: Patterns = NO_PATTERNS,
) -> jax.Array:
    """Return mean loss and accuracy over all examples of a split, float32 [2].

    `patterns` are those of the packed kernels in `params`.
    """

    def batch(totals: jax.Array, arrays: tuple[Array, Array]) -> tuple[jax.Array, None]:
        images, labels = arrays
        real = labels >= 0
        logits = model.apply(params, prepare_inputs(images, data, model.input_layer in patterns), patterns)
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

    def run(lane: Lane, data: Examples, chunk: Chunk) -> tuple[Lane, Metrics, jax.Array]:
        count = data.labels.shape[0]
        steps_per_epoch = count // batch_size
        key = jax.random.wrap_key_data(jnp.asarray(lane.key))

        def order(step: Array) -> jax.Array:
            return rng.permutation(jax.random.fold_in(key, step // steps_per_epoch), count)

        def batch(lane: Lane, chosen: jax.Array, coming: jax.Array, number: jax.Array) -> Images:
            as_pixels = model.input_layer in lane.patterns
            if augment is none:
                return prepare_inputs(data.images, data, as_pixels, chosen, coming)
            augmented = augment(data.images[chosen], rng.fold(key, "augmentation", number))
            return prepare_inputs(augmented, data, as_pixels)

        def step(number: jax.Array, carry: Any) -> Any:
            lane, shuffled = carry
            position = number % steps_per_epoch
            is_new = (position == 0) & (number > chunk.step)
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

            def measured(split: tuple[Array, Array], params: Any) -> jax.Array:
                return evaluate(model, params, split, data, lane.patterns)

            loss, accuracy = measured(data.validation, params)
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
            order(chunk.step),
            chunk.step,
            chunk.last_evaluation,
            jnp.tile(blank, (MAX_SEGMENTS, 1)),
            blank[:2],
        )
        lane, *_, metrics, early = lax.fori_loop(0, chunk.segments, segment, carry)
        return lane, Metrics(*metrics.T), early

    return Program(method, run)

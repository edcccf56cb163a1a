"""Training as pure functions: the loop over steps of a method, and the evaluation.

Everything here is about one lane. `ltr.engine.devices` puts many of them on many devices, and masks
and weights are arguments, so that one compiled program serves every lane of every round
(of packed lanes, every round of the same class of density).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from ltr import kernels
from ltr.core import masks, rng
from ltr.data.augmentation import Augmentation, none
from ltr.data.dataset import Dataset
from ltr.data.entry import Split
from ltr.kernels import Images
from ltr.methods.method import Array, Lane, Method
from ltr.models.model import Model

MAX_SEGMENTS = 64
"""Most stretches of training between two visits of the host."""

EVALUATION_BATCH = 128
"""Most examples evaluated at once: few enough that their activations stay in a core's cache.

No more than fill four cache lines of `ltr.kernels.Pixels`.
"""


class Examples(NamedTuple):
    """A data set as it sits on a device.

    Attributes:
        images: training images, uint8 [examples, height, width, channels].
        labels: int32 [examples].
        validation, test: uint8 images [batches, batch, height, width, channels] and int32 labels
            [batches, batch], the last batch filled up with labels of -1.
        mean, std: float32 [channels], for normalisation.
    """

    images: Array
    labels: Array
    validation: tuple[Array, Array]
    test: tuple[Array, Array]
    mean: Array
    std: Array


class Chunk(NamedTuple):
    """What the host asks of the program: train from `step` by way of `stops[0]` ... `stops[legs - 1]`.

    Attributes:
        step: int32, steps taken so far.
        last_evaluation: int32, the step of the last evaluation.
        stops: int32 [LEGS], ascending from `step`; entries from `segments` on are ignored.
        evaluate: bool [LEGS], whether to evaluate at a stop.
        segments: int32.
        last: int32, the step at which the training ends.
    """

    step: Array
    last_evaluation: Array
    stops: Array
    evaluate: Array
    segments: Array
    last: Array


class Metrics(NamedTuple):
    """Float32, one value per evaluation or leg; losses are means in nats, accuracies fractions.

    `train_loss` is the mean over the steps since the evaluation before, NaN where there were none;
    of a leg without evaluation all are NaN, and those of the test set where it was not asked.
    """

    def with_test(self, number: int, loss: float, accuracy: float) -> Self:
        """Those of one evaluation filled in, NumPy arrays."""
        losses, accuracies = self.test_loss.copy(), self.test_accuracy.copy()
        losses[number], accuracies[number] = loss, accuracy
        return self._replace(test_loss=losses, test_accuracy=accuracies)

    train_loss: Array
    val_loss: Array
    val_accuracy: Array
    test_loss: Array
    test_accuracy: Array


class Program(NamedTuple):
    """Trains and evaluates a lane by its method, as far as a visit asks: `run`, a function to be compiled.

    It returns the lane, its metrics by leg, and, where the visit sees the end, test loss and accuracy at
    the early stop, float32 [2], which may be long ago; NaN elsewhere.
    """

    method: Method
    run: Callable[[Lane, Examples, Chunk], tuple[Lane, Metrics, jax.Array]]


def examples(dataset: Dataset) -> Examples:
    """A data set laid out for the device; every example of every split is in it."""
    return Examples(
        *dataset.train, _batches(dataset.validation), _batches(dataset.test), dataset.mean, dataset.std
    )


def _batches(split: Split) -> tuple[np.ndarray, np.ndarray]:
    count = -(-len(split.labels) // EVALUATION_BATCH)
    size = -(-len(split.labels) // count)
    missing = count * size - len(split.labels)
    images = np.pad(split.images, [(0, missing), *[(0, 0)] * 3])
    labels = np.pad(split.labels, (0, missing), constant_values=-1)
    return images.reshape(count, size, *images.shape[1:]), labels.reshape(count, size)


def normalise(images: Array, of: Examples) -> jax.Array:
    """uint8 images as float32 of zero mean and unit deviation over the training set."""
    return (jnp.asarray(images, jnp.float32) - of.mean) / of.std


def prepare_inputs(
    images: Array,
    of: Examples,
    model: Model,
    network: Any,
    chosen: Array | None = None,
    coming: Array | None = None,
) -> Images:
    """Uint8 images, or the `chosen` ones of them, as a network takes them.

    Normalised; where the layer that reads them is packed, as the pixels that it normalises itself.

    Args:
        images: [count, height, width, channels].
        of: the data set whose images they are.
        model: the network.
        network: its mask, or parameters that are bound to one: whether the layer is packed.
        chosen: int32 [batch].
        coming: a guess at what will be chosen next, int32 [batch].
    """
    if model.input_layer and masks.is_packed(network[model.input_layer]):
        which = jnp.arange(len(images)) if chosen is None else chosen
        return kernels.pixels(images, which, of.mean, of.std, coming)
    return normalise(images if chosen is None else images[chosen], of)


def evaluate(model: Model, params: Any, split: tuple[Array, Array], of: Examples) -> jax.Array:
    """Mean loss and accuracy over every example of a split, float32 [2]."""

    def batch(totals: jax.Array, arrays: tuple[Array, Array]) -> tuple[jax.Array, None]:
        images, labels = arrays
        real = labels >= 0
        logits = model.apply(params, prepare_inputs(images, of, model, params))
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
    """The program of a method.

    The training set is shuffled anew every epoch, by the lane's key and the epoch alone; examples
    that do not fill a last batch wait for the next epoch. The test set, which no decision rests on, is
    asked at the end alone, about the weights of then and those of the early stop, which a lane keeps;
    with `test_curves` at every evaluation.
    """

    def run(lane: Lane, data: Examples, chunk: Chunk) -> tuple[Lane, Metrics, jax.Array]:
        count = data.labels.shape[0]
        steps_per_epoch = count // batch_size
        key = jax.random.wrap_key_data(jnp.asarray(lane.key))

        def order(step: Array) -> jax.Array:
            return rng.permutation(jax.random.fold_in(key, step // steps_per_epoch), count)

        def batch(lane: Lane, chosen: jax.Array, coming: jax.Array, number: jax.Array) -> Images:
            if augment is none:
                return prepare_inputs(data.images, data, model, lane.mask, chosen, coming)
            augmented = augment(data.images[chosen], rng.fold(key, "augmentation", number))
            return prepare_inputs(augmented, data, model, lane.mask)

        def step(number: jax.Array, carry: Any) -> Any:
            lane, shuffled = carry
            place = number % steps_per_epoch
            is_new = (place == 0) & (number > chunk.step)
            shuffled = lax.cond(is_new, lambda: order(number), lambda: shuffled)
            chosen, coming = (  # the last batch of an epoch guesses wrong at the next
                lax.dynamic_slice_in_dim(shuffled, at * batch_size, batch_size) for at in (place, place + 1)
            )
            lane, loss = method.step(lane, batch(lane, chosen, coming, number), data.labels[chosen], number)
            return lane._replace(loss=lane.loss + loss), shuffled

        def score(lane: Lane, at: Array, since: Array) -> tuple[Any, Any, Any, jax.Array, jax.Array]:
            mask, params = method.network(lane)

            def measured(split: tuple[Array, Array], params: Any) -> jax.Array:
                return evaluate(model, masks.bound(mask, params), split, data)

            loss, accuracy = measured(data.validation, params)
            is_best = loss < lane.best_val_loss
            best_params = jax.tree.map(
                lambda new, old: jnp.where(is_best, new, old), params, lane.best_params
            )
            ends = at == chunk.last
            test = lax.cond(ends | test_curves, lambda: measured(data.test, params), lambda: blank[:2])
            early = lax.cond(ends, lambda: measured(data.test, best_params), lambda: blank[:2])
            found = jnp.stack([lane.loss / (at - since), loss, accuracy, *test])
            return jnp.zeros(()), jnp.minimum(lane.best_val_loss, loss), best_params, found, early

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

"""Training as pure functions: the loop over the steps of a method.

Functions here handle one lane; `ltr.engine.devices` maps them over many lanes and devices. Masks and weights
are arguments, so one compiled program serves every lane of every round. Packed lanes need one program for
each combination of capacities.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float32, Int32

from ltr.core import rng
from ltr.core.shares import WHOLE, Shares
from ltr.core.types import Mask, Params
from ltr.data.augmentation import Augmentation, none
from ltr.engine.evaluation import LossAndAccuracy, evaluate
from ltr.engine.examples import Examples, form, prepare_inputs
from ltr.kernels import Array, Images
from ltr.methods.method import Lane, Method
from ltr.models.model import Model

MAX_SEGMENTS = 64
"""Most segments of a chunk."""


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


_ZERO = np.zeros((), np.int32)

NO_CHUNK = Chunk(
    step=_ZERO,
    last_evaluation=_ZERO,
    stops=np.zeros(MAX_SEGMENTS, np.int32),
    evaluate=np.zeros(MAX_SEGMENTS, bool),
    segments=_ZERO,
    last=_ZERO,
)
"""Chunk without segments."""


class Metrics(NamedTuple):
    """Metrics of a lane at its evaluations, or at the segments of a chunk from the program.

    Losses are means in nats, accuracies fractions. `train_loss` is the mean over the steps since the last
    evaluation, NaN if there were none. A segment without evaluation has NaN in all fields. The test fields
    are NaN where the test set was not evaluated. A lane that diverged ends with an evaluation that is NaN in
    all fields.
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

    def divergence(self, steps: Int32[np.ndarray, "evaluations"]) -> int | None:
        """Return the number of the first evaluation at which a loss is not finite; None without one.

        `steps`: the steps of the evaluations; without a step before it one has no training loss.
        """
        has_train_loss = np.diff(steps, prepend=steps[:1]) > 0
        found = np.flatnonzero(~np.isfinite(self.val_loss) | has_train_loss & ~np.isfinite(self.train_loss))
        return int(found[0]) if found.size else None

    def ended_at(self, end: int, steps: Int32[np.ndarray, "evaluations"]) -> "Metrics":
        """Return NumPy metrics of a lane that did not change after step `end`, up to the evaluation there.

        `steps`: the steps of the evaluations. The steps after `end` had a loss of zero.
        """
        number = int(np.searchsorted(steps, end))
        ended = Metrics(*(values[: number + 1].copy() for values in self))
        if number:
            before = int(steps[number - 1])
            ended.train_loss[number] *= (int(steps[number]) - before) / (end - before)
        return ended.with_test(number, float(self.test_loss[-1]), float(self.test_accuracy[-1]))

    def diverged_at(self, number: int) -> "Metrics":
        """Return NumPy metrics that end with evaluation `number`, which is NaN in all fields."""
        return Metrics(*(np.append(values[:number], np.float32(np.nan)) for values in self))


class Program(NamedTuple):
    """Training and evaluation of a lane by one method.

    Attributes:
        method: the method.
        run: function to compile: lane, data set, chunk -> the lane after the chunk, its metrics by segment,
            and its test loss and accuracy at the early stop, NaN unless the training ends.
        notes: mask and weights of a trained network, NumPy arrays -> columns of the results table, beside
            those of the method.
    """

    method: Method
    run: Callable[[Lane, Examples, Chunk], tuple[Lane, Metrics, LossAndAccuracy]]
    notes: Callable[[Mask, Params], dict[str, Any]] = lambda mask, params: {}


def program(
    model: Model,
    method: Method,
    batch_size: int,
    augment: Augmentation = none,
    test_curves: bool = False,
    shares: Shares = WHOLE,
) -> Program:
    """Return the program of a method.

    The training set is shuffled in every epoch. The order depends on the lane's key and the epoch only.
    Examples that do not fill a last batch are left out of that epoch.

    No decision depends on the test set. It is evaluated at the end only, with the last weights and those of
    the early stop, which the lane keeps. With `test_curves` it is evaluated at every evaluation.

    With several shares, each device trains and evaluates on its share of every batch; data order and
    augmentation are those of one device. The network of the method must be data parallel too (see
    `ltr.models.data_parallel`).
    """

    def run(lane: Lane, data: Examples, chunk: Chunk) -> tuple[Lane, Metrics, LossAndAccuracy]:
        count = data.labels.shape[0]
        steps_per_epoch = count // batch_size
        key = jax.random.wrap_key_data(jnp.asarray(lane.key))
        images_as = form(model, method.fused, lane.patterns)

        def order(step: Int32[Array, ""]) -> Int32[jax.Array, "examples"]:
            return rng.permutation(jax.random.fold_in(key, step // steps_per_epoch), count)

        def batch(
            chosen: Int32[jax.Array, "batch"], coming: Int32[jax.Array, "batch"], number: Int32[jax.Array, ""]
        ) -> Images:
            if augment is none:
                return prepare_inputs(data.images, data, images_as, shares.own(chosen), shares.own(coming))
            augmented = augment(data.images[chosen], rng.fold(key, "augmentation", number))
            return prepare_inputs(shares.own(augmented), data, images_as)

        def step(number: jax.Array, carry: Any) -> Any:
            lane, shuffled = carry
            position = number % steps_per_epoch
            is_new = (position == 0) | (number == chunk.step)
            shuffled = lax.cond(is_new, lambda: order(number), lambda: shuffled)
            chosen, coming = (  # after the last batch of an epoch the guess is wrong
                lax.dynamic_slice_in_dim(shuffled, index * batch_size, batch_size)
                for index in (position, position + 1)
            )
            labels = data.labels[shares.own(chosen)]
            lane, loss = method.step(lane, batch(chosen, coming, number), labels, number)
            return lane._replace(loss=lane.loss + shares.mean(loss)), shuffled

        def score(
            lane: Lane, stop: Array, last_evaluation: Array
        ) -> tuple[Any, Any, Any, jax.Array, jax.Array]:
            _, params = method.network(lane)

            def evaluation(number: Int32[jax.Array, ""], carry: Any) -> Any:
                """Evaluate: on validation, on the test set, there with the weights of the early stop.

                All are turns of one loop, so that an evaluation is compiled once.
                """
                results, best_val_loss, best_params = carry
                weights = lax.cond(number == 2, lambda: best_params, lambda: params)
                split = jnp.where(number == 0, data.validation, data.test)
                result = evaluate(model, weights, data, split, lane.patterns, method.fused, shares)
                is_best = (number == 0) & (result[0] < best_val_loss)
                best_val_loss = jnp.where(is_best, result[0], best_val_loss)
                best_params = lax.cond(is_best, lambda: params, lambda: best_params)
                return results.at[number].set(result), best_val_loss, best_params

            count = jnp.where(stop == chunk.last, 3, 2 if test_curves else 1)
            (validation, test, early), best_val_loss, best_params = lax.fori_loop(
                0, count, evaluation, (jnp.full((3, 2), jnp.nan), lane.best_val_loss, lane.best_params)
            )
            metrics = jnp.stack([lane.loss / (stop - last_evaluation), *validation, *test])
            return jnp.zeros(()), best_val_loss, best_params, metrics, early

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

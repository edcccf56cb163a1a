"""Concrete Ticket Search: a subnetwork that training soft gates finds (Arora & Teuscher, 2025)."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ltr.core import masks, rng
from ltr.core.types import Mask, Params, PRNGKey
from ltr.kernels import Images
from ltr.methods import scores
from ltr.methods.method import (
    FoundMask,
    Labels,
    Lane,
    Loss,
    Method,
    MethodContext,
    MethodInput,
    StepNumber,
    dropout_key,
    loss_of,
    no_notes,
    progress,
)
from ltr.models import operations
from ltr.models.fused import products
from ltr.models.model import Model
from ltr.pruning import ties

TEMPERATURE = 2 / 3
"""Temperature of the relaxed Bernoulli distribution."""

SCALE = 100.0
"""Factor of the loss; only Adam's epsilon feels it."""

EXCESS = 1.1
"""Expected number of weights above which there is a penalty, as a multiple of those to be found."""

LEARNING_RATE, LAST_LEARNING_RATE, DROP_AT = 0.1, 0.01, 0.88
"""Learning rates of Adam, and the fraction of the search at which it falls."""

DECAY = 0.99
"""Decay rate of the moving mean that is the factor of the penalty."""


def by_task(context: MethodContext) -> Method:
    """Train a logit a for each weight, so that the gated network has a low loss.

    In each step a weight is multiplied by a gate drawn from the binary Concrete distribution: sigmoid(a +
    l/`TEMPERATURE`), with l logistic. Gates are soft, and all logits are equal at first. A penalty on the sum
    of sigmoid(a) keeps the number of weights near the target (see `balanced`). The mask that it finds has the
    highest logits of all layers together, exactly as many as the ticket; so has the network that is
    evaluated.

    The paper's text was not within reach but for its abstract. All of this follows the authors' code: the
    form of the gates, in which a is not divided by the temperature, 1.1 times the target, and a penalty on
    one side only. Their code keeps one weight more than asked for, and all that tie with the last. Their
    batches are of 512 images without augmentation; here they are the run's. They start from the initial
    weights, or after nine epochs of training (`rewind_step`).
    """
    return _build(context, loss_of)


def by_dense_network(context: MethodContext) -> Method:
    """Train as `by_task`, so that the gated network answers as the dense network of the same weights does.

    The loss is KL(gated || dense), the reverse divergence; it reads no labels.
    """

    def counted(lane: Lane, first: int, last: int) -> int:
        whole = jax.tree.map(np.ones_like, lane.mask)
        of_step = operations.step(context.model, whole, whole) + operations.forward(context.model, whole)
        return (last - first) * of_step

    return _build(context, partial(divergence, context.fused))._replace(operations=counted)


def divergence(
    fused: Collection[str], model: Model, lane: Lane, images: Images, labels: Labels, step: StepNumber
) -> Callable[[Params], tuple[Loss, Params]]:
    """Return a function: gated weights -> mean KL(gated || dense) of a batch, and the running statistics.

    Both networks normalise by the statistics of the batch, and share the draw of dropout.
    """
    key = dropout_key(lane, step)
    dense = masks.tree_map(
        lambda kept, param, weight: param if kept is None else weight,
        lane.mask,
        lane.params,
        lane.method_state["weights"],
    )
    with products(fused):
        teacher = jax.nn.log_softmax(model.train(dense, images, key, lane.patterns)[0])

    def loss(params: Params) -> tuple[Loss, Params]:
        logits, statistics = model.train(params, images, key, lane.patterns)
        student = jax.nn.log_softmax(logits)
        return (jnp.exp(student) * (student - teacher)).sum(-1).mean(), statistics

    return loss


def _build(context: MethodContext, objective: scores.Objective) -> Method:
    def gate(lane: Lane, params: Params, step: StepNumber) -> Params:
        key = rng.fold(jax.random.wrap_key_data(jnp.asarray(lane.method_state["key"])), "step", step)
        return drawn(key, scores.searched(context, params))

    def update(lane: Lane, gradients: Params, step: StepNumber) -> Lane:
        logits, of_loss = (scores.searched(context, tree) for tree in (lane.params, gradients))
        balanced_gradients, factor = balanced(
            jax.tree.map(lambda gradient: SCALE * gradient, of_loss),
            logits,
            scores.total(scores.searched(context, lane.mask)),
            lane.method_state["factor"],
            step == lane.method_state["span"][0],
        )
        whole = masks.tree_map(
            lambda chosen, other: other if chosen is None else chosen, balanced_gradients, gradients
        )
        rate = jnp.where(progress(lane, step) < DROP_AT, LEARNING_RATE, LAST_LEARNING_RATE)
        after = scores.adam_step(lane, whole, rate)
        return after._replace(method_state=lane.method_state | {"factor": factor})

    def network(lane: Lane) -> tuple[Mask, Params]:
        return scores.network(scores.highest_of_all(context, lane), lane)

    def found(lane: Lane) -> FoundMask:
        return scores.found(context, lane, masks.where(lane.mask, lane.params), compare_layers=True)

    return Method(
        partial(begin, context),
        scores.step(context, gate, update, objective),
        network,
        no_notes,
        found,
        direction=scores.ADAM,
        fused=context.fused,
    )


def begin(context: MethodContext, inputs: MethodInput) -> tuple[Params, dict[str, Any]]:
    """Return logits that are all the log-odds of the density to be found."""
    mask = scores.searched(context, inputs.mask)
    count, size = masks.count(mask), scores.size(mask)
    logit = np.log(max(count, 0.5) / max(size - count, 0.5))
    params, method_state = scores.begin(inputs, lambda _, weight: np.full_like(weight, logit))
    return params, method_state | {
        "key": np.asarray(jax.random.key_data(inputs.key)),
        "span": np.array(inputs.span, np.int32),
        "factor": np.float32(0),
    }


def drawn(key: PRNGKey, logits: Params) -> Params:
    """Draw gates of the binary Concrete distribution."""

    def gate(logit: jax.Array, key: PRNGKey) -> jax.Array:
        uniform = rng.uniform(key, logit.shape)
        odds = (1 - uniform) / uniform
        noise = odds * jnp.sqrt(odds)  # exp(-l / TEMPERATURE), at a sixth of the time of logarithms
        open_ = jax.nn.sigmoid(lax.stop_gradient(logit))
        value = open_ / (open_ + (1 - open_) * noise)
        return scores.straight_through(value, value * (1 - value) * logit)

    return jax.tree.map(gate, logits, ties.of_layers(key, logits))


def balanced(
    gradients: Params, logits: Params, target: jax.Array, factor: jax.Array, is_first: jax.Array
) -> tuple[Params, jax.Array]:
    """Return gradients with that of the penalty added, and the factor of the penalty (their GradBalance).

    The penalty is 100 (S / K - 1), where S is the sum of sigmoid(logit) and K is `EXCESS` times the target.
    Its factor is a moving mean of the ratio of the norms of both gradients, which is 0 where S <= K.

    Args:
        gradients: of the loss.
        logits: logits of all layers.
        target: number of weights to be found.
        factor: factor of the step before.
        is_first: whether there is no step before.
    """
    most = EXCESS * target
    open_ = jax.tree.map(jax.nn.sigmoid, logits)
    of_penalty = jax.tree.map(lambda p: 100 / most * p * (1 - p), open_)
    excess = _sum(open_) - most
    ratio = _norm(gradients) / (_norm(of_penalty) + 1e-12)
    newest = jnp.where(excess > 0, ratio, 0.0)
    factor = jnp.where(is_first, newest, DECAY * factor + (1 - DECAY) * newest)
    return jax.tree.map(lambda g, h: g + factor * h, gradients, of_penalty), factor


def _norm(tree: Params) -> jax.Array:
    return jnp.sqrt(_sum(jax.tree.map(jnp.square, tree)))


def _sum(tree: Params) -> jax.Array:
    """Return the sum of all numbers, by columns first: XLA's CPU backend sums those in parallel."""
    return sum(lax.optimization_barrier(leaf.sum(0)).sum() for leaf in jax.tree.leaves(tree))

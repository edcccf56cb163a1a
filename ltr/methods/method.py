"""Interface of methods: pure functions on one lane, and the helpers that they share."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Float32, Int32

from ltr.config.schema import Pruning
from ltr.core import masks, rng
from ltr.core.optimizers import KernelStep, Optimizer
from ltr.core.shares import WHOLE, Shares
from ltr.core.types import KeyData, Mask, Params, PRNGKey
from ltr.kernels import Array, Factors, Images
from ltr.models.fused import kernel_path
from ltr.models.model import Model
from ltr.models.packed import NO_PATTERNS, Patterns
from ltr.pruning.targets import Target

Labels = Int32[Array, "batch"]
"""Labels of a batch."""

StepNumber = Int32[Array, ""]
"""Steps taken so far."""

Loss = Float32[jax.Array, ""]
"""Mean loss of a batch, in nats."""


class Lane(NamedTuple):
    """State of one training.

    Attributes:
        params: updated by the optimizer, in the shape of weights and biases; for packed kernels only the kept
            weights.
        opt_state: state of the optimizer.
        mask: mask of the subnetwork; None for packed kernels.
        key: of everything random in it: data order, augmentation, dropout.
        loss: sum of the mean losses of the batches since the last evaluation.
        method_state: other state of its method.
        best_val_loss: lowest validation loss so far.
        best_params: weights of its network at the lowest validation loss.
        patterns: sparsity pattern of each packed kernel, by the name of its layer (see `ltr.models.packed`).
    """

    params: Params
    opt_state: Any
    mask: Mask
    key: KeyData
    loss: Float32[Array, ""]
    method_state: Any = ()
    best_val_loss: Float32[Array, ""] = np.array(np.inf, np.float32)
    best_params: Params = ()
    patterns: Patterns = NO_PATTERNS


class MethodInput(NamedTuple):
    """Input from which a method makes a lane; NumPy arrays.

    Attributes:
        mask, weights: subnetwork that the arm starts from.
        key: for random draws.
        target: number of weights that the next round keeps; None if there is no next round.
        span: first and last step of the training.
    """

    mask: Mask
    weights: Params
    key: PRNGKey
    target: Target | None
    span: tuple[int, int]


Step = Callable[[Lane, Images, Labels, StepNumber], tuple[Lane, Loss]]
"""Lane, batch of inputs, their labels, steps so far -> the lane after the step, and the mean loss."""


class FoundMask(NamedTuple):
    """Mask that a training found, which keeps as many weights in all as the mask that it started from.

    Attributes:
        mask: the weights of highest scores, if it has scores.
        inverted: the weights of lowest scores; None without scores.
    """

    mask: Mask
    inverted: Mask | None = None


class Method(NamedTuple):
    """A method of training.

    Attributes:
        begin: input -> `params` and `method_state` of a lane, NumPy arrays.
        step: step of the training.
        network: lane -> mask and weights of its network.
        notes: lane on the host after its training -> columns that the method's registry entry declares.
        found: lane on the host after its training -> mask that it found; None if it finds none.
        operations: lane on the host after its training, its first step, its last step -> FLOPs per image (see
            `ltr.models.operations`); None if all steps cost the same.
        direction: update direction whose state its lanes have; None if it is that of the run's optimizer.
        ends_at: name of the note with the step from which a lane no longer changes; empty if there is none.
        packs: whether it can train packed lanes, because it never reads pruned weights.
        fused: names of the layers whose kernels it updates by gradients as factors (see `ltr.models.fused`).
            The input layer (see `Model`) then reads `ltr.kernels.ByteImages`, unless it is packed.
    """

    begin: Callable[[MethodInput], tuple[Params, Any]]
    step: Step
    network: Callable[[Lane], tuple[Mask, Params]]
    notes: Callable[[Lane], dict[str, Any]]
    found: Callable[[Lane], FoundMask] | None = None
    operations: Callable[[Lane, int, int], int] | None = None
    direction: optax.GradientTransformation | None = None
    ends_at: str = ""
    packs: bool = False
    fused: tuple[str, ...] = ()


class MethodContext(NamedTuple):
    """Context from which methods are built.

    Attributes:
        model: network.
        optimizer: optimizer.
        steps: steps of the dense training.
        steps_per_epoch: see `ltr.core.schedule.Schedule`.
        pruning: configuration of pruning.
        fused: see `Method`; methods that need the gradients themselves leave it out.
        shares: shares of a batch, over which gradients are averaged.
    """

    model: Model
    optimizer: Optimizer
    steps: int
    steps_per_epoch: int
    pruning: Pruning = Pruning()
    fused: tuple[str, ...] = ()
    shares: Shares = WHOLE


def loss_of(
    model: Model, lane: Lane, images: Images, labels: Labels, step: StepNumber
) -> Callable[[Params], tuple[Loss, Params]]:
    """Return a function: weights -> mean cross-entropy of a batch, and the running statistics after it.

    Dropout is drawn by `dropout_key`.
    """
    key = dropout_key(lane, step)

    def loss(params: Params) -> tuple[Loss, Params]:
        logits, statistics = model.train(params, images, key, lane.patterns)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), statistics

    return loss


def dropout_key(lane: Lane, step: StepNumber) -> PRNGKey:
    """Return the key that draws a lane's dropout in a step."""
    return rng.fold(jax.random.wrap_key_data(jnp.asarray(lane.key)), "dropout", step)


def progress(lane: Lane, step: StepNumber) -> Float32[jax.Array, ""]:
    """Return the fraction of a lane's training that `step` steps are, if its method state has the `span`."""
    first, last = lane.method_state["span"]
    return (step - first) / (last - first)


def tie_key(lane: Lane, purpose: str, *indices: StepNumber) -> PRNGKey:
    """Return the key that breaks ties among the scores of a lane."""
    return rng.fold(jax.random.wrap_key_data(jnp.asarray(lane.key)), f"ties of {purpose}", *indices)


def pruned(direction: optax.GradientTransformation, lane: Lane, mask: Mask) -> Lane:
    """Return the lane with zero weights and moments where a mask prunes; `direction` has its state."""
    everywhere = masks.tree_map(
        lambda kept, param: jnp.ones_like(param, bool) if kept is None else kept, mask, lane.params
    )
    opt_state = optax.tree.map_params(
        direction, lambda moment, kept: jnp.where(kept, moment, 0), lane.opt_state, everywhere
    )
    return lane._replace(params=masks.apply(mask, lane.params), opt_state=opt_state)


def apply_update(
    optimizer: Optimizer,
    lane: Lane,
    gradients: Params,
    step: StepNumber,
    multiple: float = 1.0,
    factors: Mapping[str, Factors] = MappingProxyType({}),
) -> Lane:
    """Return the lane after a step of the optimizer, with `multiple` times its learning rate.

    Args:
        optimizer: optimizer.
        lane: lane before the step.
        gradients: masked gradients.
        step: steps so far.
        multiple: multiple of the learning rate.
        factors: gradients as factors, by the names of layers; they replace those in `gradients`.

    Raises:
        ValueError: there are factors, but the optimizer has no `KernelStep`.
    """
    direction, opt_state = optimizer.direction.update(gradients, lane.opt_state, lane.params)
    rate = multiple * optimizer.learning_rate(step)
    params = jax.tree.map(lambda weight, delta: weight - rate * delta, lane.params, direction)
    after = lane._replace(params=params, opt_state=opt_state)
    return _with_kernel_steps(optimizer.kernel_step, lane, after, factors, rate) if factors else after


def _with_kernel_steps(
    by: KernelStep | None, before: Lane, after: Lane, factors: Mapping[str, Factors], rate: jax.Array
) -> Lane:
    """Return the lane with the kernels of `factors` after a step; XLA drops what they replace."""
    if by is None:
        raise ValueError(f"{', '.join(factors)}: the optimizer cannot step by factors of gradients")
    mask = flatten_dict(before.mask)

    old, new = (
        [flatten_dict(tree) for tree in (lane.params, *_fields(by, lane.opt_state))]
        for lane in (before, after)
    )
    for name, gradient in factors.items():
        path = kernel_path(name)
        kernel, *moments = (tree[path] for tree in old)
        stepped = by.step(gradient, mask[path], kernel, moments, before.opt_state, rate)
        for tree, leaf in zip(new, stepped, strict=True):
            tree[path] = leaf
    params, *of_state = map(unflatten_dict, new)
    state = dict(zip(by.fields, of_state, strict=True))
    return after._replace(params=params, opt_state=optax.tree.set(after.opt_state, **state))


def _fields(by: KernelStep, opt_state: Any) -> list[Params]:
    return [optax.tree.get(opt_state, field) for field in by.fields]


def no_notes(lane: Lane) -> dict[str, Any]:
    """Return no columns."""
    return {}

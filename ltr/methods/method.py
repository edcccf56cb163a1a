"""Interface of methods: pure functions on one lane, and the helpers that they share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ltr.config.schema import Pruning
from ltr.core import rng
from ltr.core.optimizers import Optimizer
from ltr.kernels import Images
from ltr.models.model import Model
from ltr.models.packed import NO_PATTERNS, Patterns

Array = jax.Array | np.ndarray
"""Array on a device or on the host."""


class Lane(NamedTuple):
    """State of one training.

    Attributes:
        params: float32, updated by the optimizer, in the shape of weights and biases; for packed kernels only
            the kept weights.
        opt_state: state of the optimizer.
        mask: mask of the subnetwork (see `ltr.core.masks`); None for packed kernels.
        key: uint32 [2], key data of everything random in it: data order, augmentation, dropout.
        loss: float32, sum of the mean losses of the batches since the last evaluation.
        method_state: other state of its method.
        best_val_loss: float32, lowest validation loss so far.
        best_params: float32, weights of its network at the lowest validation loss.
        patterns: sparsity pattern of each packed kernel, by the name of its layer (see `ltr.models.packed`).
    """

    params: Any
    opt_state: Any
    mask: Any
    key: Array
    loss: Array
    method_state: Any = ()
    best_val_loss: Array = np.array(np.inf, np.float32)
    best_params: Any = ()
    patterns: Patterns = NO_PATTERNS


class MethodInput(NamedTuple):
    """Input from which a method makes a lane; NumPy arrays.

    Attributes:
        mask, weights: subnetwork that the arm starts from.
        key: for random draws.
        target: number of weights that the next round keeps (see `ltr.pruning.targets`); None if there is no
            next round.
    """

    mask: Any
    weights: Any
    key: jax.Array
    target: Any


Step = Callable[[Lane, Images, jax.Array, jax.Array], tuple[Lane, jax.Array]]
"""Lane, batch of inputs, int32 labels, int32 step -> the lane after the step, and the mean loss."""


class Method(NamedTuple):
    """A method of training.

    Attributes:
        begin: input -> `params` and `method_state` of a lane, NumPy arrays.
        step: step of the training.
        network: lane -> mask and weights of its network.
        notes: lane on the host after its training -> columns that the method's registry entry declares.
        packs: whether it can train packed lanes, because it never reads pruned weights.
    """

    begin: Callable[[MethodInput], tuple[Any, Any]]
    step: Step
    network: Callable[[Lane], tuple[Any, Any]]
    notes: Callable[[Lane], dict[str, Any]]
    packs: bool = False


class MethodContext(NamedTuple):
    """Context from which methods are built.

    Attributes:
        model: network.
        optimizer: optimizer.
        steps: steps of the dense training.
        steps_per_epoch: see `ltr.core.schedule.Schedule`.
        pruning: configuration of pruning.
    """

    model: Model
    optimizer: Optimizer
    steps: int
    steps_per_epoch: int
    pruning: Pruning = Pruning()


def loss_of(
    model: Model, lane: Lane, images: Images, labels: jax.Array, step: jax.Array
) -> Callable[[Any], tuple[jax.Array, Any]]:
    """Return a function: weights -> mean cross-entropy of a batch, and the running statistics after it.

    Dropout is drawn from the lane's key and the step.
    """
    key = rng.fold(jax.random.wrap_key_data(jnp.asarray(lane.key)), "dropout", step)

    def loss(params: Any) -> tuple[jax.Array, Any]:
        logits, statistics = model.train(params, images, key, lane.patterns)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), statistics

    return loss


def tie_key(lane: Lane, purpose: str, *indices: jax.Array) -> jax.Array:
    """Return the key that breaks ties among the scores of a lane."""
    return rng.fold(jax.random.wrap_key_data(jnp.asarray(lane.key)), f"ties of {purpose}", *indices)


def apply_update(
    optimizer: Optimizer, lane: Lane, gradients: Any, step: jax.Array, multiple: float = 1.0
) -> Lane:
    """Return the lane after a step of the optimizer, with `multiple` times its learning rate."""
    direction, opt_state = optimizer.direction.update(gradients, lane.opt_state, lane.params)
    rate = multiple * optimizer.learning_rate(step)
    params = jax.tree.map(lambda weight, delta: weight - rate * delta, lane.params, direction)
    return lane._replace(params=params, opt_state=opt_state)


def no_notes(lane: Lane) -> dict[str, Any]:
    """Return no columns."""
    return {}

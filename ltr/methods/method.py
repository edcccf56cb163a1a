"""What a way to train is to the rest of ltr: pure functions on one lane, and what they share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ltr.config.schema import Pruning
from ltr.core import masks, rng
from ltr.core.optimizers import Optimizer
from ltr.kernels import Images
from ltr.models.model import Model

Array = jax.Array | np.ndarray
"""An array on a device, or on its way there or back."""


class Lane(NamedTuple):
    """One training under way.

    Attributes:
        params: float32, what the optimizer moves, in the shape of weights and biases; of packed kernels
            the kept weights alone.
        opt_state: the optimizer's state.
        mask: the connections of the subnetwork (see `ltr.core.masks`); of kernels that are packed, patterns.
        key: uint32 [2], the key data of what is random in it: data order, augmentation, dropout.
        loss: float32, the sum of the batches' mean losses since the last evaluation.
        method_state: whatever else its method carries from step to step.
        best_val_loss: float32, the least validation loss so far.
        best_params: float32, like the weights of its network, those that had it.
    """

    params: Any
    opt_state: Any
    mask: Any
    key: Array
    loss: Array
    method_state: Any = ()
    best_val_loss: Array = np.array(np.inf, np.float32)
    best_params: Any = ()


class MethodInput(NamedTuple):
    """What a method makes a lane of: NumPy arrays.

    Attributes:
        mask, weights: the subnetwork that the arm starts from.
        key: for what is drawn.
        target: how many weights the next round keeps (see `ltr.pruning.targets`), None of no next.
    """

    mask: Any
    weights: Any
    key: jax.Array
    target: Any


Step = Callable[[Lane, Images, jax.Array, jax.Array], tuple[Lane, jax.Array]]
"""Lane, a batch as a network takes it, int32 labels, int32 step -> the lane after it, and the mean loss."""


class Method(NamedTuple):
    """A way to train.

    Attributes:
        begin: beginning -> a lane's `params` and `method_state`, NumPy arrays.
        step: a step of the training.
        network: lane -> the mask and the weights of the network that it stands for.
        notes: a lane at its end, on the host -> the columns that its entry of the registry declares.
        packs: whether it trains packed lanes too: it asks nothing of weights that are not kept.
    """

    begin: Callable[[MethodInput], tuple[Any, Any]]
    step: Step
    network: Callable[[Lane], tuple[Any, Any]]
    notes: Callable[[Lane], dict[str, Any]]
    packs: bool = False


class MethodContext(NamedTuple):
    """What methods are made of.

    Attributes:
        steps: of the dense training.
        steps_per_epoch: see `ltr.core.schedule.Schedule`.
        pruning: how a round is pruned.
    """

    model: Model
    optimizer: Optimizer
    steps: int
    steps_per_epoch: int
    pruning: Pruning = Pruning()


def loss_of(
    model: Model, lane: Lane, images: Images, labels: jax.Array, step: jax.Array
) -> Callable[[Any], tuple[jax.Array, Any]]:
    """Weights -> the batch's mean cross-entropy, and the statistics after it; dropout by lane and step."""
    key = rng.fold(jax.random.wrap_key_data(jnp.asarray(lane.key)), "dropout", step)

    def loss(params: Any) -> tuple[jax.Array, Any]:
        logits, statistics = model.train(masks.bound(lane.mask, params), images, key)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), statistics

    return loss


def tie_key(lane: Lane, purpose: str, *indices: jax.Array) -> jax.Array:
    """Return the key that draws which of a lane's equal scores are kept."""
    return rng.fold(jax.random.wrap_key_data(jnp.asarray(lane.key)), f"ties of {purpose}", *indices)


def apply_update(
    optimizer: Optimizer, lane: Lane, gradients: Any, step: jax.Array, multiple: float = 1.0
) -> Lane:
    """The lane after a step of the optimizer, `multiple` times as long as its learning rate has it."""
    direction, opt_state = optimizer.direction.update(gradients, lane.opt_state, lane.params)
    rate = multiple * optimizer.learning_rate(step)
    params = jax.tree.map(lambda weight, along: weight - rate * along, lane.params, direction)
    return lane._replace(params=params, opt_state=opt_state)


def no_notes(lane: Lane) -> dict[str, Any]:
    """Nothing."""
    return {}

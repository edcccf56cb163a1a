"""Optimizers: optax's update directions, and a learning rate that follows the step of the training.

The learning rate is a function of the step, not of a count inside the optimizer's state: a lane
that rewinds to step k starts with fresh moments in the middle of the schedule.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ltr.config.schema import Optimizer as Config

_B1, _B2, _EPSILON = 0.9, 0.999, 1e-8
"""Adam's decay rates and epsilon, as its authors and optax have them."""


def adam() -> optax.GradientTransformation:
    """`optax.scale_by_adam`, its state included, in the order of computation that the paper recommends.

    The bias corrections become two scalars, so that a weight costs one division and one root (Kingma &
    Ba, 2015, end of section 2; their epsilon is kept as it stands in algorithm 1). On a CPU those are
    a fifth of a step.
    """

    def update(gradients: Any, state: Any, params: Any = None) -> tuple[Any, optax.ScaleByAdamState]:
        count = state.count + 1
        mu = optax.tree.update_moment(gradients, state.mu, _B1, 1)
        nu = optax.tree.update_moment(gradients, state.nu, _B2, 2)
        root = jnp.sqrt(1 - _B2**count)
        scale, epsilon = root / (1 - _B1**count), _EPSILON * root
        direction = jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) + epsilon), mu, nu)
        return direction, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adam().init, update)


DIRECTIONS: dict[str, Callable[[Config], optax.GradientTransformation]] = {
    "adam": lambda config: optax.chain(adam(), optax.add_decayed_weights(config.weight_decay)),
    "sgd": lambda config: optax.add_decayed_weights(config.weight_decay),
    "momentum": lambda config: optax.chain(
        optax.add_decayed_weights(config.weight_decay), optax.trace(config.momentum)
    ),
}


class Optimizer(NamedTuple):
    """What to subtract from the weights.

    Attributes:
        direction: optax transformation from gradients to directions; zero gradients and weights give zeros.
        learning_rate: int32 step -> float32 multiple of the direction.
    """

    direction: optax.GradientTransformation
    learning_rate: Callable[[jax.Array], jax.Array]


def build(config: Config, steps: int, steps_per_epoch: int) -> Optimizer:
    """The optimizer of a training of `steps` steps."""
    warmup = config.warmup.in_steps(steps_per_epoch)
    drops = {drop.in_steps(steps_per_epoch): config.drop_factor for drop in config.drops}
    schedule = {
        "constant": lambda: optax.constant_schedule(config.learning_rate),
        "step": lambda: optax.piecewise_constant_schedule(config.learning_rate, drops),
        "cosine": lambda: optax.cosine_decay_schedule(config.learning_rate, steps),
    }[config.schedule]()

    def learning_rate(step: jax.Array) -> jax.Array:
        risen = jnp.minimum(1.0, step / warmup) if warmup else 1.0
        return jnp.asarray(schedule(step) * risen, jnp.float32)

    return Optimizer(DIRECTIONS[config.name](config), learning_rate)

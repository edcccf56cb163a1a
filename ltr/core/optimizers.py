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
from ltr.core.registry import OPTIMIZERS, SCHEDULES, AdamOptions


def adam(config: Config, options: AdamOptions) -> optax.GradientTransformation:
    """Adam with decoupled weight decay, which a term of `config.weight_decay` times the weights adds."""
    return optax.chain(scale_by_adam(options), optax.add_decayed_weights(config.weight_decay))


def scale_by_adam(options: AdamOptions) -> optax.GradientTransformation:
    """`optax.scale_by_adam`, its state included, in the order of computation that the paper recommends.

    The bias corrections become two scalars, so that a weight costs one division and one root (Kingma &
    Ba, 2015, end of section 2; their epsilon is kept as it stands in algorithm 1). On a CPU those are
    a fifth of a step.
    """
    b1, b2 = options.b1, options.b2

    def update(gradients: Any, state: Any, params: Any = None) -> tuple[Any, optax.ScaleByAdamState]:
        count = state.count + 1
        mu = optax.tree.update_moment(gradients, state.mu, b1, 1)
        nu = optax.tree.update_moment(gradients, state.nu, b2, 2)
        root = jnp.sqrt(1 - b2**count)
        scale, epsilon = root / (1 - b1**count), options.epsilon * root
        direction = jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) + epsilon), mu, nu)
        return direction, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adam().init, update)


def sgd(config: Config) -> optax.GradientTransformation:
    """Stochastic gradient descent; `config.weight_decay` times the weights is part of the gradient."""
    return optax.add_decayed_weights(config.weight_decay)


def momentum(config: Config) -> optax.GradientTransformation:
    """The same with a velocity that decays by `config.momentum`."""
    return optax.chain(sgd(config), optax.trace(config.momentum))


def constant(config: Config, steps: int, steps_per_epoch: int) -> optax.Schedule:
    """The same at every step."""
    return optax.constant_schedule(config.learning_rate)


def step(config: Config, steps: int, steps_per_epoch: int) -> optax.Schedule:
    """Multiplied by `config.drop_factor` at each of `config.drops`."""
    drops = {drop.in_steps(steps_per_epoch): config.drop_factor for drop in config.drops}
    return optax.piecewise_constant_schedule(config.learning_rate, drops)


def cosine(config: Config, steps: int, steps_per_epoch: int) -> optax.Schedule:
    """Half a cosine, to 0 at the last of `steps`."""
    return optax.cosine_decay_schedule(config.learning_rate, steps)


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
    schedule: optax.Schedule = SCHEDULES[config.schedule].load()(config, steps, steps_per_epoch)

    def learning_rate(step: jax.Array) -> jax.Array:
        risen = jnp.minimum(1.0, step / warmup) if warmup else 1.0
        return jnp.asarray(schedule(step) * risen, jnp.float32)

    direction: optax.GradientTransformation = OPTIMIZERS[config.name].call(config, options=config.options)
    return Optimizer(direction, learning_rate)

"""Optimizers: update directions of optax, and a learning rate that depends on the step of the training.

The learning rate is a function of the step, not of a count in the optimizer's state. So a lane that rewinds
to step k starts in the middle of the schedule with new moments.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Bool, Float32, Int32, PyTree

from ltr import kernels
from ltr.config.schema import Optimizer as Config
from ltr.core.registry import OPTIMIZERS, SCHEDULES, AdamOptions
from ltr.core.types import Params
from ltr.kernels import Array, Factors

Rate = Float32[jax.Array, ""]
"""Learning rate of a step."""


class KernelStep(NamedTuple):
    """Step of an optimizer on the kernel of a dense layer, in one pass with its gradient.

    See `ltr.kernels.fused`.

    Attributes:
        fields: fields of the optimizer's state that hold an array for each weight.
        step: gradient as factors, mask, kernel, its arrays of the state in the order of `fields`, whole state
            before the step, learning rate -> kernel and its arrays of the state after the step.
    """

    fields: tuple[str, ...]
    step: Callable[
        [Factors, Bool[Array, "in out"], jax.Array, list[jax.Array], Any, Rate], tuple[jax.Array, ...]
    ]


class Fusable(optax.GradientTransformation):  # type: ignore[misc]
    """An optax transformation that has a `KernelStep`; transformations around it have none."""

    kernel_step: KernelStep

    @classmethod
    def of(cls, direction: optax.GradientTransformation, kernel_step: KernelStep) -> "Fusable":
        """Return a transformation with its kernel step."""
        fusable = cls(*direction)
        fusable.kernel_step = kernel_step
        return fusable


def adam(config: Config, options: AdamOptions) -> optax.GradientTransformation:
    """Return Adam with decoupled weight decay (AdamW, Loshchilov & Hutter, 2019).

    The decay adds `config.weight_decay` times the weights to the direction.
    """

    def step(
        factors: Factors, kept: Any, kernel: jax.Array, moments: list[jax.Array], state: Any, rate: Rate
    ) -> tuple[jax.Array, ...]:
        rates = jnp.stack([rate, *bias_corrections(options, optax.tree.get(state, "count") + 1)])
        decays = options.b1, options.b2, config.weight_decay
        mean, variance = moments
        return kernels.adam_step(factors, kept, kernel, mean, variance, rates, *decays)

    direction = optax.chain(scale_by_adam(options), weight_decay(config))
    return Fusable.of(direction, KernelStep(("mu", "nu"), step))


def scale_by_adam(options: AdamOptions) -> optax.GradientTransformation:
    """Return `optax.scale_by_adam` with the same state, computed in the order that the paper recommends.

    The bias corrections become two scalars, so a weight costs one division and one square root (Kingma & Ba,
    2015, end of section 2). Epsilon has the meaning of algorithm 1. On a CPU divisions and roots are a fifth
    of a step.
    """

    def update(
        gradients: Params, state: Any, params: Params | None = None
    ) -> tuple[Params, optax.ScaleByAdamState]:
        count = state.count + 1
        mu = optax.tree.update_moment(gradients, state.mu, options.b1, 1)
        nu = optax.tree.update_moment(gradients, state.nu, options.b2, 2)
        scale, epsilon = bias_corrections(options, count)
        direction = jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) + epsilon), mu, nu)
        return direction, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adam().init, update)


def bias_corrections(options: AdamOptions, count: Int32[jax.Array, ""]) -> tuple[jax.Array, jax.Array]:
    """Return the factor of the mean and the epsilon of Adam's step number `count`, counted from 1."""
    root = jnp.sqrt(1 - options.b2**count)
    return root / (1 - options.b1**count), options.epsilon * root


def weight_decay(config: Config) -> optax.GradientTransformation:
    """Add `config.weight_decay` times the weights that `config.decayed` names."""
    mask = {"all": None, "kernels": are_kernels}[config.decayed]
    return optax.add_decayed_weights(config.weight_decay, mask)


def are_kernels(params: PyTree) -> PyTree[bool]:
    """Return whether each parameter is a kernel, by its name: a packed kernel has only one dimension."""
    return jax.tree.map_with_path(lambda path, _: path[-1].key == "kernel", params)


def sgd(config: Config) -> optax.GradientTransformation:
    """Return stochastic gradient descent; `config.weight_decay` times the weights is part of the gradient."""

    def step(
        factors: Factors, kept: Any, kernel: jax.Array, _: list[jax.Array], state: Any, rate: Rate
    ) -> tuple[jax.Array, ...]:
        return kernels.momentum_step(factors, kept, kernel, None, rate[None], 0.0, config.weight_decay)[:1]

    return Fusable.of(weight_decay(config), KernelStep((), step))


def momentum(config: Config) -> optax.GradientTransformation:
    """Return stochastic gradient descent with a velocity that decays by `config.momentum`."""

    def step(
        factors: Factors, kept: Any, kernel: jax.Array, moments: list[jax.Array], state: Any, rate: Rate
    ) -> tuple[jax.Array, ...]:
        (trace,), decays = moments, (config.momentum, config.weight_decay)
        return kernels.momentum_step(factors, kept, kernel, trace, rate[None], *decays)

    direction = optax.chain(weight_decay(config), optax.trace(config.momentum))
    return Fusable.of(direction, KernelStep(("trace",), step))


def constant(config: Config, steps: int, steps_per_epoch: int) -> optax.Schedule:
    """Return a constant schedule."""
    return optax.constant_schedule(config.learning_rate)


def step(config: Config, steps: int, steps_per_epoch: int) -> optax.Schedule:
    """Return a schedule that is multiplied by `config.drop_factor` at each of `config.drops`."""
    drops = {drop.in_steps(steps_per_epoch): config.drop_factor for drop in config.drops}
    return optax.piecewise_constant_schedule(config.learning_rate, drops)


def cosine(config: Config, steps: int, steps_per_epoch: int) -> optax.Schedule:
    """Return a schedule of half a cosine, which reaches 0 after `steps` steps."""
    return optax.cosine_decay_schedule(config.learning_rate, steps)


class Optimizer(NamedTuple):
    """Update of the weights: they decrease by the learning rate times the direction.

    Attributes:
        direction: optax transformation from gradients to directions. Where gradients and weights are always
            zero, directions are zero.
        learning_rate: step -> multiple of the direction.
    """

    direction: optax.GradientTransformation
    learning_rate: Callable[[Int32[Array, ""]], Rate]

    @property
    def kernel_step(self) -> KernelStep | None:
        """The step in one pass with the gradient of a kernel; None if there is none, as with clipping."""
        return self.direction.kernel_step if isinstance(self.direction, Fusable) else None


def build(config: Config, steps: int, steps_per_epoch: int) -> Optimizer:
    """Return the optimizer of a training of `steps` steps."""
    warmup = config.warmup.in_steps(steps_per_epoch)
    schedule: optax.Schedule = SCHEDULES[config.schedule].load()(config, steps, steps_per_epoch)

    def learning_rate(step: Int32[Array, ""]) -> Float32[jax.Array, ""]:
        factor = jnp.minimum(1.0, step / warmup) if warmup else 1.0
        return jnp.asarray(schedule(step) * factor, jnp.float32)

    direction: optax.GradientTransformation = OPTIMIZERS[config.name].call(config, options=config.options)
    if config.clip is not None:
        direction = optax.chain(optax.clip_by_global_norm(config.clip), direction)
    return Optimizer(direction, learning_rate)

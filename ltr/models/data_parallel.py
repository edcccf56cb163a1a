"""Data parallelism: lets a network train on a device's share of a batch as one device does on all of it.

Gradients are averaged over the devices, or gathered as factors. Batch normalisation takes its statistics from
the whole batch, and dropout is drawn for it.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from ltr.core.optimizers import Fusable, Optimizer
from ltr.core.shares import AXIS, Shares
from ltr.core.types import Logits, Params, PRNGKey
from ltr.kernels import ByteImages, Factors, Images
from ltr.kernels.fused import Rows
from ltr.models.model import Model
from ltr.models.packed import NO_PATTERNS, Patterns


def data_parallel(model: Model, shares: Shares) -> Model:
    """Return the network for training on shares of a batch; with one share, the network itself.

    Examples of a batch may meet in `flax.linen.BatchNorm` only. Random numbers of training may be drawn in
    `flax.linen.Dropout` only (see `draws_by_itself`).

    Args:
        model: the network.
        shares: shares of a batch, on the devices of a mapped axis.
    """
    if shares.count == 1:
        return model

    def train(
        params: Params, images: Images, key: PRNGKey, patterns: Patterns = NO_PATTERNS
    ) -> tuple[Logits, Params]:
        with _of_whole_batches(shares):
            return model.train(_averaging(shares, params), images, key, patterns)

    return model._replace(train=train)


def gathering(optimizer: Optimizer, shares: Shares) -> Optimizer:
    """Return the optimizer whose step on the kernel of a dense layer takes the factors of all devices.

    Factors are much smaller than the gradient of a large kernel, which would be averaged otherwise.
    """
    by = optimizer.kernel_step
    if by is None or shares.count == 1:
        return optimizer

    def step(factors: Factors, *rest: Any) -> tuple[jax.Array, ...]:
        gradient = shares.gather(factors.gradient) / shares.count  # each is that of a share's mean loss
        return by.step(Factors(_gathered(factors.x, shares), gradient), *rest)

    return optimizer._replace(direction=Fusable.of(optimizer.direction, by._replace(step=step)))


def _gathered(x: Rows, shares: Shares) -> Rows:
    """Return the inputs of a layer for the whole batch."""
    if not isinstance(x, ByteImages):
        return shares.gather(x)
    size, *image = x.shape
    return replace(x, chosen=shares.gather(x.chosen), shape=(shares.count * size, *image))


def draws_by_itself(model: Model, image_shape: tuple[int, int, int]) -> bool:
    """Return whether a network draws random numbers in training elsewhere than in `flax.linen.Dropout`."""
    shaped: Any = jax.ShapeDtypeStruct
    key = jax.random.key(0)
    with intercepting(nn.Dropout, lambda layer, call, x: x):
        traced = jax.make_jaxpr(model.train)(
            jax.eval_shape(model.init, key), shaped((1, *image_shape), jnp.float32), key
        )
    *_, key_read = traced.jaxpr.invars
    return any(key_read is read for equation in traced.jaxpr.eqns for read in equation.invars)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _averaging(shares: Shares, params: Params) -> Params:
    """Return the parameters; their gradient is averaged over the devices."""
    return params


_averaging.defvjp(lambda shares, params: (params, None), lambda shares, _, gradient: (shares.mean(gradient),))


@contextlib.contextmanager
def _of_whole_batches(shares: Shares) -> Iterator[None]:
    """Let layers act on a share as they do on the whole batch."""

    def normalise(layer: nn.BatchNorm, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if layer.axis_name is not None:
            return call(*args, **kwargs)
        synchronised: Any = layer.clone(parent=layer.scope, name=None, axis_name=AXIS)
        return synchronised(*args, **kwargs)

    def drop(layer: nn.Dropout, call: Callable[..., Any], x: jax.Array, *args: Any, **kwargs: Any) -> Any:
        whole = jnp.ones((x.shape[0] * shares.count, *x.shape[1:]), x.dtype)
        return x * shares.own(call(whole, *args, **kwargs))

    with intercepting(nn.BatchNorm, normalise), intercepting(nn.Dropout, drop):
        yield


def intercepting(kind: type[nn.Module], replacement: Callable[..., Any]) -> AbstractContextManager[None]:
    """Return a context in which layers of a kind are called by `replacement(layer, call, *arguments)`."""

    def intercept(
        call: Callable[..., Any], args: Any, kwargs: Any, context: nn.module.InterceptorContext
    ) -> Any:
        layer: Any = context.module
        if not isinstance(layer, kind) or context.method_name != "__call__":
            return call(*args, **kwargs)
        return replacement(layer, call, *args, **kwargs)

    return nn.intercept_methods(intercept)

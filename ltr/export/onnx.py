"""Conversion of a network to ONNX by jax2onnx."""

import logging
from collections.abc import Callable
from typing import Any

import jax

from ltr.core.extras import install_command
from ltr.errors import ConfigError

PRODUCER = "ltr: lottery tickets"
"""Name of the producer in each model."""


def as_onnx(network: Callable[[jax.Array], jax.Array], image_shape: tuple[int, int, int]) -> bytes:
    """Return a serialised model with one input, images, and one output, logits.

    Images are float32 [batch, height, width, channels], logits [batch, classes].

    Args:
        network: function from images to logits.
        image_shape: height, width and channels.

    Raises:
        ConfigError: jax2onnx is not installed.
    """
    logging.getLogger("jax2onnx").setLevel(logging.CRITICAL)  # it logs JAX features without support
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    try:
        import jax2onnx
    except ImportError:
        raise ConfigError(f"--onnx: needs jax2onnx; type: {install_command('onnx')}") from None
    shape: list[Any] = ["batch", *image_shape]
    model = jax2onnx.to_onnx(network, [tuple(shape)])
    model.graph.ClearField("value_info")  # shapes of intermediate values, wrong after convolutions
    model.producer_name = PRODUCER
    return bytes(model.SerializeToString())

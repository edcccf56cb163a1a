"""Compiled library: loaded and registered with XLA, once."""

import ctypes
import functools
from pathlib import Path

import jax

LIBRARY = Path(__file__).with_name("products.so")
"""Path of the library, to which `hatch_build.py` writes it."""

HANDLERS = (
    *("ltr_forward", "ltr_of_inputs", "ltr_of_weights", "ltr_transpose"),
    *("ltr_pixels", "ltr_forward_pixels", "ltr_of_weights_pixels"),
    *("ltr_convolve", "ltr_convolve_pooled", "ltr_unpool", "ltr_of_images", "ltr_of_kernel"),
    *("ltr_winograd", "ltr_winograd_pooled", "ltr_winograd_of_inputs", "ltr_winograd_of_kernel"),
    *("ltr_fused_product_of_bytes", "ltr_fused_product_of_floats"),
    *("ltr_fused_adam_of_bytes", "ltr_fused_adam_of_floats"),
    *("ltr_fused_momentum_of_bytes", "ltr_fused_momentum_of_floats"),
    *("ltr_batch_norm", "ltr_batch_norm_gradient"),
    *("ltr_sort", "ltr_nth_highest"),
)


@functools.cache
def instruction_set() -> str | None:
    """Register the kernels with XLA, and return the vector instructions that they use.

    None if they are not built, or built for another version of ltr or of jaxlib's interface.
    """
    try:
        library = ctypes.CDLL(str(LIBRARY))
        for name in HANDLERS:
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")
    except (OSError, AttributeError, jax.errors.JaxRuntimeError):
        return None
    library.ltr_instruction_set.restype = ctypes.c_char_p
    return str(library.ltr_instruction_set().decode())

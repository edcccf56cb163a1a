"""The compiled library: found, loaded and made known to XLA, once."""

import ctypes
import functools
from pathlib import Path

import jax

LIBRARY = Path(__file__).with_name("products.so")
"""Where `hatch_build.py` puts it."""

HANDLERS = (
    *("ltr_forward", "ltr_of_inputs", "ltr_of_weights", "ltr_transpose"),
    *("ltr_pixels", "ltr_forward_pixels", "ltr_of_weights_pixels"),
    *("ltr_convolve", "ltr_of_images", "ltr_of_kernel"),
    "ltr_sort",
)


@functools.cache
def instruction_set() -> str | None:
    """What the kernels use of this processor; None if they are not built, or of another version.

    That is, another version of ltr, or of the interface of jaxlib.
    """
    try:
        library = ctypes.CDLL(str(LIBRARY))
        for name in HANDLERS:
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")
    except (OSError, AttributeError, jax.errors.JaxRuntimeError):
        return None
    library.ltr_instruction_set.restype = ctypes.c_char_p
    return str(library.ltr_instruction_set().decode())

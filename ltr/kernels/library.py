"""The compiled library: found, loaded and made known to XLA, once."""

import ctypes
import functools
from pathlib import Path

import jax

LIBRARY = Path(__file__).with_name("products.so")
"""Where `hatch_build.py` puts it."""

HANDLERS = (
    *("ltr_forward", "ltr_of_inputs", "ltr_of_weights", "ltr_transpose"),
    *("ltr_convolve", "ltr_of_images", "ltr_of_kernel"),
)


@functools.cache
def instruction_set() -> str | None:
    """What the kernels use of this processor; None if they are not built, or of another version."""
    try:
        library = ctypes.CDLL(str(LIBRARY))
        handlers = {name: jax.ffi.pycapsule(getattr(library, name)) for name in HANDLERS}
    except (OSError, AttributeError):
        return None
    for name, handler in handlers.items():
        jax.ffi.register_ffi_target(name, handler, platform="cpu")
    library.ltr_instruction_set.restype = ctypes.c_char_p
    return str(library.ltr_instruction_set().decode())

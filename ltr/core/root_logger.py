"""The root logger, which belongs to the program that uses ltr."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def left_alone() -> Iterator[None]:
    """Take away the handler that absl gives to a root logger without any.

    Orbax and TFDS log by absl, the former at its import, and `logging.basicConfig` does nothing afterwards.
    """
    had_handlers = bool(logging.root.handlers)
    try:
        yield
    finally:
        if not had_handlers:
            logging.root.handlers.clear()

"""Protection of the root logger, which belongs to the program that uses ltr."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def left_alone() -> Iterator[None]:
    """Remove the handler that absl adds to a root logger without handlers.

    Orbax (at import) and TFDS log through absl, which adds it. `logging.basicConfig` would then do nothing.
    """
    had_handlers = bool(logging.root.handlers)
    try:
        yield
    finally:
        if not had_handlers:
            logging.root.handlers.clear()

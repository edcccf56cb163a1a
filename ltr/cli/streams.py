"""Standard streams that cannot fail a command: what nobody can read is dropped, and results are kept.

Output that cannot be written, as to a full disk, is said once on standard error, and is exit code 1. If its
reader has left, as `head` does, nothing is said. Characters that a stream cannot encode are escaped.
"""

import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def secure() -> "Stream":
    """Replace the standard streams of this process, and return that of the output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # a closed one would be the number of the next file that is opened
    os.close(descriptor)
    output, errors = Stream(1, "standard output"), Stream(2)
    sys.stdout = _text(output, sys.stdout)
    sys.stderr = _text(errors, sys.stderr)
    return output


class Stream(io.FileIO):
    """Open descriptor that takes everything, and drops it after an error.

    Args:
        descriptor: its number.
        name_in_error: its name in the message of the error; without a name there is no message.
    """

    exit_code = 0

    def __init__(self, descriptor: int, name_in_error: str = "") -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._name_in_error = name_in_error
        self._has_failed = False

    def write(self, content: "ReadableBuffer") -> int:
        """Write all of the content, or drop it; return its size."""
        left = memoryview(content)
        size = left.nbytes
        while left and not self._has_failed:
            try:
                written: int | None = super().write(left)
            except OSError as error:
                self._fail(error)
            else:
                if written is None:  # a pipe that does not block is full
                    select.select((), (self,), ())
                left = left[written or 0 :]
        return size

    def _fail(self, error: OSError) -> None:
        self._has_failed = True
        if self._name_in_error and not isinstance(error, BrokenPipeError):
            self.exit_code = 1
            print(f"ltr: {self._name_in_error}: cannot be written ({error.strerror})", file=sys.stderr)


def _text(stream: Stream, before: TextIO | None) -> TextIO:
    """Return a text stream in the encoding of the one before, UTF-8 if it was closed.

    Nothing is buffered below it, so a handler of signals may print while it prints.
    """
    encoding = before.encoding if before else "utf-8"
    is_by_line = bool(before and before.line_buffering)
    return io.TextIOWrapper(stream, encoding, errors="backslashreplace", line_buffering=is_by_line)

"""Entry point of the command `ltr`. Signals and streams are in order before anything else is imported."""

import gc
import sys
from collections.abc import Sequence

from ltr import interrupts


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that `words` (default: the command line of this process) name; return its exit code."""
    if words is not None:
        from ltr.cli.dispatch import dispatch

        return dispatch(words)
    interrupts.end_by_signals()
    from ltr.cli import streams

    output = streams.secure()
    from ltr.cli.dispatch import dispatch

    try:
        code = dispatch(sys.argv[1:])
    except SystemExit as end:  # as after --help
        if end.code:
            raise
        code = 0
    sys.stdout.flush()
    gc.freeze()  # Python would look for garbage before it ends, among everything that a command has made
    return code or output.exit_code

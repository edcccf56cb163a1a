"""Write docs/commands.md: the --help text of every command.

python scripts/commands.py
"""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from ltr import commands
from ltr.cli import main

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
HEAD = """\
# Commands

Written by `scripts/commands.py` from what `ltr COMMAND --help` prints. The knobs of `ltr run` and `ltr plan`
are in [choices.md](choices.md).
"""


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for name in commands.NAMES:
        yield f"## ltr {name}\n\n```text\n{_help(name)}\n```\n"


def _help(command: str) -> str:
    """Return the help text of a command, without its list of knobs."""
    output = io.StringIO()
    narrow = mock.patch.dict(os.environ, COLUMNS="80")
    with narrow, contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        main([command, "--help"])
    usage, _, more = output.getvalue().partition("\nknobs (key=default):")[0].strip().partition("\n\n")
    return f"{' '.join(usage.split())}\n\n{more}"  # Python versions break usage lines differently


if __name__ == "__main__":
    PAGE.write_text(page())

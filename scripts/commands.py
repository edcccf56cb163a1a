"""Writes docs/commands.md: every command, as its --help has it.

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
    """The whole page, Markdown."""
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    for name in commands.NAMES:
        yield f"## ltr {name}\n\n```text\n{_help(name)}\n```\n"


def _help(command: str) -> str:
    """Without the list of knobs."""
    said = io.StringIO()
    narrow = mock.patch.dict(os.environ, COLUMNS="80")
    with narrow, contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main([command, "--help"])
    usage, _, more = said.getvalue().partition("\nknobs (key=default):")[0].strip().partition("\n\n")
    return f"{' '.join(usage.split())}\n\n{more}"  # Pythons differ in where they break lines of usage


if __name__ == "__main__":
    PAGE.write_text(page())

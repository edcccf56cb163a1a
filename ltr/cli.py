"""`ltr`: words to commands. Imports nothing heavy, so that help comes at once."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ltr import commands
from ltr.errors import LtrError
from ltr.version import __version__


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that `words` (by default the command line) name; returns its exit code."""
    parser = _parser()
    arguments, more = parser.parse_known_args(words)
    unknown = [word for word in more if word.startswith("-") or not hasattr(arguments, "knobs")]
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if more:
        arguments.knobs += more
    try:
        return int(importlib.import_module(f"ltr.commands.{arguments.command}").execute(arguments))
    except LtrError as error:
        print(f"ltr {arguments.command}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, say
        print(f"ltr {arguments.command}: {error}", file=sys.stderr)
        return 1


class _Parser(argparse.ArgumentParser):
    """Says what is wrong on one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="ltr",
        description="Finds lottery tickets in neural networks, and says how sure it is of them.",
        epilog="example:\n  ltr run prune_rate=0.2 rounds=15",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ltr {__version__}")
    added = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in commands.NAMES:
        module = importlib.import_module(f"ltr.commands.{name}")
        text = (module.__doc__ or "").strip()
        module.arguments(
            added.add_parser(
                name,
                help=text.splitlines()[0],
                description=text,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                add_help=not getattr(module, "LISTS_KNOBS", False),
            )
        )
    return parser

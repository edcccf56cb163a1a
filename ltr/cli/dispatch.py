"""From the words of a command line to a command, and from its errors to exit codes.

Imports nothing heavy, as help must not be slow.
"""

import argparse
import gc
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from ltr import commands
from ltr.commands.knobs import show_help
from ltr.config.folders import joined
from ltr.core.printable import on_one_line
from ltr.errors import ConfigError
from ltr.faults import exit_code, is_known, message
from ltr.plugins import installed
from ltr.registry.suggestions import nearest
from ltr.version import __version__


def dispatch(words: Sequence[str]) -> int:
    """Run the command that words name, print its error on one line, and return its exit code."""
    gc.set_threshold(50_000)  # composing a configuration makes many objects and hardly any garbage
    parser = _parser()
    if not words:
        parser.print_help(sys.stderr)
        return 2
    _check_command(parser, words[0])
    arguments, more = parser.parse_known_args([*words[1:], "--help"] if words[0] == "help" else words)
    takes_knobs, wants_help = hasattr(arguments, "knobs"), hasattr(arguments, "help_of")
    unknown = [word for word in more if word.startswith("-") or not takes_knobs]
    if unknown and not takes_knobs:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        if unknown and not wants_help:
            raise ConfigError(_as_knob(unknown[0], words))
        if more:
            arguments.knobs += more
        if takes_knobs:
            _warn_of_plugins()
        with joined(getattr(arguments, "config_dir", ())):
            if wants_help:
                show_help(arguments.help_of)
            return int(importlib.import_module(f"ltr.commands.{arguments.command}").execute(arguments))
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not is_known(error):
            raise
        print(f"ltr {arguments.command}: {on_one_line(message(error))}", file=sys.stderr)
        return exit_code(error)


def _check_command(parser: argparse.ArgumentParser, word: str) -> None:
    """Exit with a suggestion if the first word is not a command."""
    if word in (*commands.NAMES, "help", "-h", "--help", "--version"):
        return
    if word.startswith("-"):
        parser.error(f"{word}: unknown option; a command comes first, as in ltr run rounds=5")
    if "=" in word:
        parser.error(f"{word}: not a command; type ltr run {word}")
    parser.error(f"{word}: unknown command; {nearest(word, commands.NAMES)}")


def _warn_of_plugins() -> None:
    """Print the plug-ins that failed to load, as a knob may name one of their entries."""
    for plugin in installed():
        if plugin.problem:
            print(f"ltr: {plugin.warning}", file=sys.stderr)


def _as_knob(option: str, words: Sequence[str]) -> str:
    """Return a message that suggests what to type instead of an unknown option."""
    from ltr.config.words import option_as_word

    return option_as_word(option, words[words.index(option) + 1 :])


class _Parser(argparse.ArgumentParser):
    """Parser that reports an error on one line."""

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

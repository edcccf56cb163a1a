"""Words `key=value` of `ltr run`, `ltr plan` and `ltr bench`, and the help that lists them."""

import argparse
import textwrap
from collections.abc import Iterator
from typing import NoReturn

from ltr.commands.options import folder
from ltr.config.folders import OPTION
from ltr.config.literals import literal
from ltr.report.console import write
from ltr.report.text_table import WIDTH


def add_knobs(parser: argparse.ArgumentParser) -> None:
    """Declare `key=value` words and a `--help` that lists them, on a parser made with `add_help=False`."""
    parser.add_argument("knobs", nargs="*", metavar="key=value", help="a knob or a choice, listed below")
    parser.add_argument(
        OPTION,
        action="append",
        default=[],
        type=folder,
        metavar="DIR",
        help="a folder of your own YAML files, which are added to the choices (repeatable; LTR_CONFIG_DIR "
        "names folders for every command)",
    )
    parser.add_argument(
        *("-h", "--help"),
        action="store_const",
        const=parser,
        dest="help_of",
        default=argparse.SUPPRESS,
        help="show this help and every knob",
    )


def show_help(parser: argparse.ArgumentParser) -> NoReturn:
    """Print the help of a command that takes knobs, every knob and every choice, and exit."""
    write("\n".join([parser.format_help(), *listing()]))
    parser.exit()


def listing() -> Iterator[str]:
    """Yield the lines of the help: every knob, and every choice of every group."""
    from ltr.config.groups import ARM, choices, group_names
    from ltr.config.parse import knobs

    yield "knobs (key=default):"
    for knob in knobs():
        yield f"  {knob.name}={literal(knob.default)}"
        yield _indented(f"{knob.meaning}: {knob.allowed}")
    yield "\nchoices (group=choice):"
    for group in group_names():
        for name, meaning in choices(group).items():
            yield f"  {group}={name}"
            yield _described(group, name, meaning)
    yield "\narms (arms=[ticket,...]):"
    for name, meaning in choices(ARM).items():
        yield f"  {name}"
        yield _described(ARM, name, meaning)


def _described(group: str, choice: str, meaning: str) -> str:
    """Return the description of a choice, or the error of its file."""
    from ltr.config.files import problem

    wrong = problem(group, choice)
    return _indented(f"broken: {wrong}" if wrong else meaning or "(no comment in its file says what it is)")


def _indented(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)

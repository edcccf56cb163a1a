"""The file that a command writes: `--output` and `--force`, and what must not be overwritten."""

import argparse
from pathlib import Path

from ltr.commands.options import path
from ltr.errors import ConfigError


def add_output(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Declare --output and --force."""
    parser.add_argument("--output", type=path, help=meaning)
    parser.add_argument("--force", action="store_true", help="overwrite a file that ltr did not write")


def require_inside(output: Path, folder: Path) -> None:
    """Raise ConfigError if a file in a folder that may be anybody's is a link out of it, or below one."""
    if not output.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{output}: a link leads out of {folder}; name the file by --output")


def require_own(output: Path, mark: bytes, is_forced: bool) -> None:
    """Raise ConfigError if a file exists that ltr did not write, unless overwriting is forced.

    Args:
        output: the file; others than regular files, such as pipes, are written to.
        mark: bytes in all files of this kind that ltr writes.
        is_forced: whether `--force` is given.
    """
    if is_forced or not output.is_file():
        return
    try:
        is_own = mark in output.read_bytes()
    except OSError as error:
        raise ConfigError(f"--output={output}: cannot be read ({error.strerror})") from None
    if not is_own:
        raise ConfigError(
            f"--output={output}: exists and is not of ltr; choose another name, or overwrite it by --force"
        )

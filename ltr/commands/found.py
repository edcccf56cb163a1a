"""What commands that look for runs take alike."""

import argparse
from pathlib import Path


def add_run(parser: argparse.ArgumentParser) -> None:
    """Take RUN, for `ltr.store.catalog.find`."""
    parser.add_argument("run", metavar="RUN", help="a run's folder, id or the beginning of it, or last")


def add_output_root(parser: argparse.ArgumentParser) -> None:
    """Take --output-root, where to look."""
    parser.add_argument(
        "--output-root",
        type=Path,
        default=Path("outputs"),
        help="folder of the run folders (default: outputs)",
    )

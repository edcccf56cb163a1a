"""List, prepare and verify data sets, and import images of your own.

A data set is prepared once on a machine, in TFDS's folder: $TFDS_DATA_DIR, else
~/tensorflow_datasets. `ltr run` prepares missing data by itself if it can.

Examples:
  ltr data prepare mnist
  ltr data import photos --test 0.2
"""

import argparse
import json
import sys
from typing import Any

from ltr.commands import importing
from ltr.commands.options import path


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions of `ltr data`: list, prepare, verify and import."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    listing = _action(actions, "list", "list the data sets and their folders", "ltr data list")
    _json(listing)

    preparing = _action(
        actions,
        "prepare",
        "fetch a data set, or take it from local files, and make it ready to load",
        "ltr data prepare fashion_mnist --from /usr/share/datasets/fashion-mnist",
    )
    preparing.add_argument("name", metavar="NAME", help="the data set")
    preparing.add_argument(
        "--from",
        dest="source",
        metavar="DIR",
        type=path,
        help="folder of its original files, compressed or not; their checksums are verified "
        "(default: $LTR_DATA_SOURCE/NAME if it exists, else the network)",
    )

    verifying = _action(
        actions, "verify", "read a prepared data set in full and compare checksums", "ltr data verify mnist"
    )
    verifying.add_argument("name", metavar="NAME", help="the data set")
    _json(verifying)
    for action in (listing, preparing, verifying):
        action.add_argument(
            "--data-dir",
            metavar="DIR",
            help="folder of prepared data, or its address in a bucket (default: TFDS's)",
        )
    importing.arguments(
        _action(
            actions,
            "import",
            "turn images of your own into a file that dataset.path reads",
            "ltr data import photos --size 32x32 --test 0.2",
        )
    )


def execute(args: argparse.Namespace) -> int:
    """Run an action; LtrError if it fails."""
    actions = {"list": _list, "prepare": _prepare, "verify": _verify, "import": importing.execute}
    return actions[args.action](args)


def _action(actions: Any, name: str, meaning: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name,
        help=meaning,
        description=f"{meaning[0].upper()}{meaning[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _list(args: argparse.Namespace) -> int:
    from ltr.data.in_bucket import is_prepared
    from ltr.data.prepare import data_root
    from ltr.data.registry import distributed

    root = data_root(args.data_dir)
    rows = [
        {
            "name": entry.name,
            "description": entry.description,
            "train_examples": entry.train_examples,
            "test_examples": entry.test_examples,
            "shape": list(entry.shape),
            "classes": entry.classes,
            "folder": str(entry.folder(root)) if is_prepared(entry.folder(root)) else None,
        }
        for entry in distributed().values()
    ]
    print(json.dumps(rows, indent=2) if args.json else f"{_table(rows)}\n\nprepared data is in {root}")
    return 0


def _table(rows: list[dict[str, Any]]) -> str:
    from ltr.report.text_table import Column, table

    columns = [
        Column("name"),
        Column("train", is_number=True),
        Column("test", is_number=True),
        Column("shape"),
        Column("prepared"),
        Column("content"),
    ]
    cells = (
        (
            row["name"],
            str(row["train_examples"]),
            str(row["test_examples"]),
            "x".join(map(str, row["shape"])),
            "yes" if row["folder"] else "no",
            row["description"],
        )
        for row in rows
    )
    return table(columns, cells)


def _prepare(args: argparse.Namespace) -> int:
    from ltr.data.in_bucket import address_of
    from ltr.data.prepare import data_root, prepare, publish
    from ltr.data.registry import find

    entry, root = find(args.name), data_root(args.data_dir)
    prepare(entry, root, args.source)
    publish(entry, root)
    folder = entry.folder(root)
    print(f"{entry.name} is ready in {address_of(folder) or folder}", file=sys.stderr)
    return 0


def _verify(args: argparse.Namespace) -> int:
    from ltr.data.prepare import data_root, verify
    from ltr.data.registry import find
    from ltr.errors import LtrError

    entry, root = find(args.name), data_root(args.data_dir)
    try:
        verify(entry, root)
    except LtrError as error:
        if args.json:
            print(json.dumps({"name": entry.name, "good": False, "problem": str(error)}))
        raise
    examples = entry.train_examples + entry.test_examples
    if args.json:
        print(json.dumps({"name": entry.name, "good": True, "problem": None}))
    else:
        print(f"{entry.name}: all {examples} examples in {entry.folder(root)} match their checksums")
    return 0

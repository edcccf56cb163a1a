"""Say what this installation has: versions, devices, sparse kernels, data.

The sparse kernels, with which pruned layers train on the CPU at the cost of
the weights they keep, are built when ltr is installed beside a C++ compiler
(GCC 12 or later; Clang builds slower ones);
without them results come from dense products.

Example:
  ltr doctor
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

WITHOUT_KERNELS = (
    "not built: everything trains by dense products (install g++ 12 or later, then ltr again, with pip's "
    "--force-reinstall --no-deps)"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `ltr doctor` takes."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(args: argparse.Namespace) -> int:
    """Look round and print."""
    from ltr.engine import devices
    from ltr.report import console

    devices.start(None)
    found = _found()
    console.write(json.dumps(found, indent=2) if args.json else _text(found))
    return 0


def _found() -> dict[str, Any]:
    from ltr.core import cache_paths
    from ltr.data import DATASETS
    from ltr.data.prepare import data_root
    from ltr.machine import machine
    from ltr.version import __version__

    root = data_root(None)
    return {
        "ltr": __version__,
        **machine(),
        "data_folder": str(root),
        "data_prepared": [entry.name for entry in DATASETS.values() if entry.folder(root).exists()],
        "cache_folder": str(cache_paths.folder()),
        "free_bytes": shutil.disk_usage(Path.cwd()).free,
    }


def _text(found: dict[str, Any]) -> str:
    from ltr.report.text_table import facts

    packages = [f"{name} {found[name]}" for name in ("jax", "jaxlib", "numpy", "torch") if found[name]]
    said = {
        "ltr": f"{found['ltr']}, on Python {found['python']}, {', '.join(packages)}",
        "machine": f"{found['processor']}, {found['cores']} cores; devices: {found['devices']}",
        "kernels": found["sparse_kernels"] or WITHOUT_KERNELS,
        "data": f"{', '.join(found['data_prepared']) or 'none prepared'}; in {found['data_folder']}",
        "cache": found["cache_folder"],
        "disk": f"{found['free_bytes'] / 2**30:.0f} GiB free here",
    }
    return facts(said)

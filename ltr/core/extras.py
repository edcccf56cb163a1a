"""Extras: the optional parts of ltr, and the command that installs them.

The name ltr belongs to another project on the Python package index, so the command names the source of
this installation.
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Any


def install_command(extra: str) -> str:
    """Return the shell command that adds an extra of pyproject.toml to this installation of ltr."""
    pip = [sys.executable, "-m", "pip", "install"]
    clone = Path(__file__).parents[2]
    if (clone / "pyproject.toml").is_file():
        return shlex.join([*pip, "-e", f"{clone}[{extra}]", "-c", f"{clone / 'constraints.txt'}"])
    return shlex.join([*pip, f"ltr[{extra}] @ {_origin()}"])


def _origin() -> str:
    """Return the URL that ltr was installed from, as recorded by pip; PATH-OR-URL if there is no record."""
    from importlib import metadata  # is slow to import, and `ltr --help` imports this module

    try:
        text = metadata.distribution("ltr").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        text = None
    record: dict[str, Any] = json.loads(text) if text else {"url": "PATH-OR-URL"}
    if vcs := record.get("vcs_info"):
        return f"{vcs['vcs']}+{record['url']}@{vcs['commit_id']}"
    return str(record["url"])

"""Checkpoints: pytrees of NumPy arrays in Orbax's format, each with a SHA-256 manifest.

Orbax loads a damaged file without an error. The manifest, written last, proves that a checkpoint is whole.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from ltr.core import atomic, root_logger

MANIFEST = "manifest.sha256.json"
NEW, OLD = ".new", ".old"
_METADATA = "metadata.json"


def save(path: Path, tree: Any, metadata: dict[str, Any]) -> None:
    """Write a pytree (dictionaries, NumPy arrays, None) and JSON metadata to the folder `path`.

    An existing checkpoint is replaced only after the new one is complete.
    """
    from orbax.checkpoint import v1 as ocp

    new = path.with_name(f"{path.name}{NEW}")
    ocp.save(new.absolute(), tree, overwrite=True)
    atomic.write_text(new / _METADATA, json.dumps(metadata))
    files = {str(file.relative_to(new)): _digest(file) for file in _files(new)}
    atomic.write_text(new / MANIFEST, json.dumps({"files": files}, indent=1))
    remove(path)
    new.rename(path)
    atomic.sync_folder(path.parent)


def settle(root: Path) -> None:
    """Finish or undo every save and removal below `root` that was interrupted."""
    for left in [*root.glob(f"*{OLD}"), *root.glob(f"*/*{OLD}"), *root.glob("*/*orbax-checkpoint-tmp*")]:
        shutil.rmtree(left)
    for left in sorted([*root.glob(f"*{NEW}*"), *root.glob(f"*/*{NEW}*")]):
        path = left.with_name(left.name.removesuffix(NEW))
        if is_whole(left) and not is_whole(path):
            remove(path)
            left.rename(path)
        else:
            remove(left)


def load(path: Path) -> Any:
    """Return the pytree saved at `path`."""
    with root_logger.left_alone():
        from orbax.checkpoint import v1 as ocp

        return ocp.load(path.absolute())


def metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of a whole checkpoint."""
    return dict(json.loads((path / _METADATA).read_text()))


def is_whole(path: Path) -> bool:
    """Return whether every byte of the checkpoint is as it was saved."""
    try:
        expected = json.loads((path / MANIFEST).read_text())["files"]
        return bool(expected == {str(file.relative_to(path)): _digest(file) for file in _files(path)})
    except (OSError, ValueError, KeyError, TypeError):
        return False


def remove(path: Path) -> None:
    """Delete a checkpoint, whole or not, if it exists; one that is half deleted has another name."""
    if path.exists():
        shutil.rmtree(old := path.with_name(f"{path.name}{OLD}"), ignore_errors=True)
        shutil.rmtree(path.rename(old), ignore_errors=True)


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith(MANIFEST))


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

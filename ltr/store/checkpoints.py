"""Checkpoints: pytrees of NumPy arrays in Orbax's format, each with a SHA-256 manifest.

Orbax loads a damaged file without an error. The manifest, written last, proves that a checkpoint is whole.
"""

import contextlib
import gc
import hashlib
import json
import logging
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ltr.core import atomic, root_logger
from ltr.errors import LtrError
from ltr.faults import as_system_error

MANIFEST = "manifest.sha256.json"
NEW, OLD = ".new", ".old"
_METADATA = "metadata.json"


def save(path: Path, tree: Any, metadata: dict[str, Any]) -> None:
    """Write a pytree (dictionaries, NumPy arrays, None) and JSON metadata to the folder `path`.

    An existing checkpoint is replaced only after the new one is complete. OSError if it cannot be written;
    then nothing is left of it.
    """
    new = path.with_name(f"{path.name}{NEW}")
    with atomic.named(path):
        try:
            _write(new, tree)
            atomic.write_text(new / _METADATA, json.dumps(metadata))
            files = {str(file.relative_to(new)): _digest(file) for file in _files(new)}
            atomic.write_text(new / MANIFEST, json.dumps({"files": files}, indent=1))
        except OSError:
            for left in path.parent.glob(f"{new.name}*"):
                shutil.rmtree(left, ignore_errors=True)
            raise
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

        with _alone():
            return ocp.load(_address(path))


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


def _write(path: Path, tree: Any) -> None:
    """Write a pytree with Orbax; OSError if the system refuses, whatever Orbax raises then."""
    with _unprinted():
        failure = _failure_of_saving(path, tree)
        if failure is not None:
            gc.collect()  # coroutines of Orbax, which print that they were given up
            raise failure


def _failure_of_saving(path: Path, tree: Any) -> OSError | None:
    """Save a pytree with Orbax; return the error if the system refuses.

    Folders are made first: when a thread of Orbax fails to make one, others wait for it for minutes.
    """
    from orbax.checkpoint import v1 as ocp

    every_process = ocp.options.MultiprocessingOptions(primary_host=None)
    folders_first = ocp.options.AsyncOptions(create_directories_asynchronously=False)
    try:
        with _alone(), ocp.Context(async_options=folders_first, multiprocessing_options=every_process):
            ocp.save(_address(path), tree, overwrite=True)
    except Exception as error:
        failure = as_system_error(error, path)
        if failure is None:
            raise
        return failure
    return None


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let Orbax see a process that is alone, as each of several keeps checkpoints of its own.

    Orbax waits for all processes of JAX's group to write one checkpoint together, whatever its options say of
    the processes that take part (orbax-checkpoint 0.12.8).
    """
    import jax

    count, index = jax.process_count, jax.process_index
    if count() == 1:
        yield
        return
    jax.process_count, jax.process_index = (lambda *_: 1), (lambda *_: 0)
    try:
        yield
    finally:
        jax.process_count, jax.process_index = count, index


def _address(path: Path) -> Path:
    """Return the absolute path; LtrError if it is not in UTF-8, as TensorStore takes no other."""
    address = path.absolute()
    try:
        str(address).encode()
    except UnicodeEncodeError:
        name = str(address).encode(errors="backslashreplace").decode()
        raise LtrError(
            f"{name}: checkpoints need a path in UTF-8; rename the folder, or set PYTHONUTF8=1"
        ) from None
    return address


@contextlib.contextmanager
def _unprinted() -> Iterator[None]:
    """Drop what the threads of Orbax and TensorStore print of an error, which is raised too.

    After an error those of TensorStore go on for a while, and find the event loop closed.
    """
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio", "concurrent.futures")]
    were_disabled = [logger.disabled for logger in loggers]
    hook = sys.unraisablehook

    def later(unraisable: "sys.UnraisableHookArgs") -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            hook(unraisable)

    for logger in loggers:
        logger.disabled = True
    sys.unraisablehook = lambda _: None
    try:
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
            yield
        sys.unraisablehook = hook
    except BaseException:
        sys.unraisablehook = later
        raise
    finally:
        for logger, was_disabled in zip(loggers, were_disabled, strict=True):
            logger.disabled = was_disabled


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith(MANIFEST))


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

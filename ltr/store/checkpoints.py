"""Checkpoints: pytrees of NumPy arrays in Orbax's format, each in one archive (see `ltr.store.archive`).

Orbax writes more than ten files and loads a damaged one without an error. An archive is one file and its
checksum proves that it is whole. Extracted, it is a folder that Orbax loads. Earlier versions kept such
folders; these are read, and replaced by archives when they are written again.
"""

import contextlib
import gc
import hashlib
import json
import logging
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

from ltr import interrupts
from ltr.core import atomic, root_logger
from ltr.errors import LtrError
from ltr.faults import as_system_error
from ltr.store import archive

MANIFEST = "manifest.sha256.json"
"""File with the SHA-256 of the other files of a folder."""

_OLD = ".old"
_METADATA = "metadata.json"


def save(path: Path, tree: Any, metadata: dict[str, Any]) -> None:
    """Write a pytree (dictionaries, NumPy arrays, None) and JSON metadata to the archive `path`.

    An existing one is replaced when the new one is complete. OSError if it cannot be written; then nothing
    is left of it. Orbax writes to the folder for temporary files (`TMPDIR`), which an error there names.
    """
    with contextlib.ExitStack() as stack:
        with atomic.named_temporary():
            folder = stack.enter_context(_scratch())
            _write(folder, tree)
            (folder / _METADATA).write_text(json.dumps(metadata))
            files = {str(file.relative_to(folder)): _digest(file) for file in _files(folder)}
            (folder / MANIFEST).write_text(json.dumps({"files": files}, indent=1))
        archive.pack(folder, path)


def settle(root: Path) -> None:
    """Remove what interrupted saves and removals left below `root`, those of earlier versions too."""
    endings = (f"*{_OLD}", ".*.tmp", "*.new*")
    for left in [left for ending in endings for level in ("", "*/") for left in root.glob(level + ending)]:
        remove(left)


def load(path: Path) -> Any:
    """Return the pytree saved at `path`."""
    with root_logger.left_alone(), _folder(path) as folder:
        from orbax.checkpoint import v1 as ocp

        with _alone():
            return ocp.load(_address(folder))


def metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of a whole checkpoint."""
    return dict(
        json.loads((path / _METADATA).read_text() if path.is_dir() else archive.read(path, _METADATA))
    )


def is_whole(path: Path) -> bool:
    """Return whether every byte of the checkpoint is as it was saved."""
    if not path.is_dir():
        return archive.is_whole(path)
    try:
        expected = json.loads((path / MANIFEST).read_text())["files"]
        return bool(expected == {str(file.relative_to(path)): _digest(file) for file in _files(path)})
    except (OSError, ValueError, KeyError, TypeError):
        return False


def remove(path: Path) -> None:
    """Delete a checkpoint, whole or not, if it exists; a folder that is half deleted has another name."""
    if not path.is_dir():
        path.unlink(missing_ok=True)
    elif path.name.endswith(_OLD):
        shutil.rmtree(path, ignore_errors=True)
    else:
        shutil.rmtree(old := path.with_name(f"{path.name}{_OLD}"), ignore_errors=True)
        shutil.rmtree(path.rename(old), ignore_errors=True)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """Make a temporary folder for the files of one checkpoint."""
    with (
        interrupts.undone(),
        tempfile.TemporaryDirectory(prefix="ltr-", ignore_cleanup_errors=True) as scratch,
    ):
        yield Path(scratch) / "checkpoint"


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """Yield the folder of a checkpoint; an archive is extracted to a temporary one."""
    if path.is_dir():
        yield path
        return
    with contextlib.ExitStack() as stack:
        with atomic.named_temporary():
            folder = stack.enter_context(_scratch())
            archive.unpack(path, folder)
        yield folder


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


class _OfOthers(logging.Filter):
    """Filter that drops what some threads log."""

    def __init__(self) -> None:
        super().__init__()
        self.threads = WeakSet[threading.Thread]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message is of another thread."""
        return threading.current_thread() not in self.threads


_given_up = _OfOthers()
"""Filter of what the threads of saves that failed still log."""


@contextlib.contextmanager
def _unprinted() -> Iterator[None]:
    """Drop what the threads of Orbax and TensorStore print of an error, which is raised too.

    After an error they go on for a while: they fail themselves, and find the event loop closed.
    """
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio", "concurrent.futures")]
    were_disabled = [logger.disabled for logger in loggers]
    hook, before = sys.unraisablehook, threading.enumerate()

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
        _given_up.threads.update(set(threading.enumerate()).difference(before))
        for logger in loggers:
            logger.addFilter(_given_up)
        raise
    finally:
        for logger, was_disabled in zip(loggers, were_disabled, strict=True):
            logger.disabled = was_disabled


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith(MANIFEST))


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

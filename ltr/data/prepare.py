"""Preparation of a data set: once on a machine, by one process at a time."""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from ltr.addresses import ALLOWED, is_allowed
from ltr.buckets.bucket import BucketError
from ltr.data import array_cache, in_bucket, originals, tfds_files
from ltr.data.arrays import Arrays, fingerprint
from ltr.data.registry import DatasetEntry
from ltr.errors import ConfigError, DataNotFoundError, LtrError
from ltr.faults import unwritable

_log = logging.getLogger(__name__)


def data_root(data_dir: str | None) -> Path:
    """Return the folder of all prepared data: `data_dir` if given, else that of TFDS.

    Raises:
        ConfigError: it is an address of no bucket.
    """
    place = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    if not is_allowed(place):
        raise ConfigError(f"data_dir={place}: must be {ALLOWED}")
    return in_bucket.local(place)


def prepare(entry: DatasetEntry, root: Path, source: Path | None = None) -> Arrays:
    """Return the arrays of a data set in the order of TFDS, and prepare and cache them first if necessary.

    Args:
        entry: the data set.
        root: the folder of all prepared data.
        source: a folder with the original files, preferred to all other sources.

    Raises:
        ConfigError: `root` cannot be written.
        DataNotFoundError: the original files are not on this machine and cannot be downloaded.
        LtrError: an original file or the prepared data are damaged.
    """
    cached = array_cache.read_cache(entry, root)
    if cached is not None:
        return cached
    path = array_cache.cache_path(entry, root)
    with _locked(entry, root):
        with _writing(root):
            in_bucket.fetch(path)
        cached = array_cache.read_cache(entry, root)  # another process may have written it meanwhile
        if cached is not None:
            return cached
        built = _build(entry, root, source)
    with _writing(root):
        in_bucket.publish(entry.folder(root), last=path, is_new=True)
    return built


def publish(entry: DatasetEntry, root: Path) -> None:
    """Write what the bucket of `root`, if that is in one, lacks of a prepared data set."""
    with _writing(root):
        in_bucket.publish(entry.folder(root), last=array_cache.cache_path(entry, root), is_new=False)


def verify(entry: DatasetEntry, root: Path) -> None:
    """Read prepared data in full and compare them, and their cache if it exists, with their known facts.

    Raises:
        DataNotFoundError: the data are not prepared.
        LtrError: the data or their cache are damaged.
    """
    in_bucket.fetch_folder(entry.folder(root))
    if not entry.folder(root).exists():
        raise DataNotFoundError(
            f"{entry.name} is not prepared in {root}; type: ltr data prepare {entry.name}"
        )
    prepared = fingerprint(tfds_files.read(entry, root))
    cached = array_cache.read_cache(entry, root)
    path = array_cache.cache_path(entry, root)
    if path.exists() and (cached is None or fingerprint(cached) != prepared):
        raise LtrError(f"{path} is damaged; to rebuild it, type: ltr data prepare {entry.name}")


def _build(entry: DatasetEntry, root: Path, source: Path | None) -> Arrays:
    if array_cache.cache_path(entry, root).exists():
        _log.warning("%s is damaged: rebuilding it", array_cache.cache_path(entry, root))
    with _writing(root):
        in_bucket.fetch_folder(entry.folder(root))
    if not entry.folder(root).exists():
        original = originals.read(entry, source)
        with _writing(root):
            tfds_files.write(entry, root, original)
    prepared = tfds_files.read(entry, root)
    with _writing(root):
        array_cache.write_cache(entry, root, prepared)
    return prepared


@contextlib.contextmanager
def _locked(entry: DatasetEntry, root: Path) -> Iterator[None]:
    """Hold the lock that keeps other processes from preparing the same data set."""
    from filelock import FileLock, Timeout

    lock = FileLock(root / f".{entry.name}.lock")
    with _writing(root):
        root.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _log.warning("waiting for another process that is preparing %s in %s", entry.name, root)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _writing(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(f"data_dir={root}", error) from error
    except BucketError as error:
        raise type(error)(f"data_dir={in_bucket.address_of(root)}", error.problem) from None

"""Working copies: files of this machine that are those of a folder in a bucket.

Every process has copies of its own, so none sees a file that another one is writing.
"""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from ltr.addresses import address_of
from ltr.buckets import lease
from ltr.buckets.bucket import Bucket, BucketError, Version
from ltr.buckets.lease import Lease
from ltr.core import atomic

Item = TypeVar("Item")

AT_A_TIME = 8
"""Number of requests at a time."""

_LOCKS = (".lock", ".lock.soft")
"""Names of the locks of the working copy itself."""


class Stamp(NamedTuple):
    """What the file system says of a file, which changes when the file does."""

    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, file: Path) -> "Stamp":
        found = file.stat()
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


class Copy:
    """Working copy of a folder, and the versions of the objects that its files are.

    Attributes:
        is_being_written: whether this process writes it, so that nothing is fetched.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_being_written = False
        self._is_patient = True
        self.address = str(address_of(folder))
        self.key = self.address.partition("://")[2].partition("/")[2]
        self._known: dict[str, tuple[Version, Stamp]] = {}

    def folders(self) -> list[Path]:
        """Return the paths of the folders in the folder, of which nothing is fetched."""
        return [self.folder / name for name in Bucket(self.address).folders(self.key)]

    def fetch(self, is_wanted: Callable[[str], bool]) -> None:
        """Bring the wanted files up to date; of others only the folders are made.

        Files that the bucket lacks are removed.
        """
        if self.is_being_written:
            return
        present = Bucket(self.address).versions(self.key)
        bucket = Bucket(self.address, is_patient=True)  # as checkpoints are large
        for folder in {(self.folder / name).parent for name in present}:
            folder.mkdir(parents=True, exist_ok=True)
        wanted = [name for name in present if is_wanted(name) and name != lease.NAME]
        changed = [name for name in wanted if not self._is_current(name, present[name])]
        each(lambda name: self._download(bucket, name), changed)
        for name in [name for name in self._names() if is_wanted(name) and name not in present]:
            (self.folder / name).unlink()
            self._known.pop(name, None)

    def fetch_one(self, name: str) -> bool:
        """Bring one file up to date; return whether there is one."""
        if self.is_being_written:
            return (self.folder / name).exists()
        return self._download(Bucket(self.address), name)

    def push(self, held: Lease, last: Sequence[str]) -> None:
        """Bring the bucket up to date: new files and changed ones first, those named `last` in this order.

        Then what is gone is removed. A bucket that did not answer for long is not waited for again.

        Raises:
            ConflictError: another process has written one of the files.
            BucketError: the bucket does not answer.
        """
        try:
            self._push(Bucket(self.address, self._is_patient), held, last)
        except BucketError:
            self._is_patient = False
            raise

    def publish(self, name: str) -> None:
        """Write one file to the bucket, whatever was there."""
        Bucket(self.address, is_patient=True).overwrite(f"{self.key}/{name}", self.folder / name)

    def forget(self, is_meant: Callable[[str], bool]) -> None:
        """Remove files of the copy alone."""
        for name in [name for name in self._names() if is_meant(name)]:
            (self.folder / name).unlink()
            self._known.pop(name, None)

    def _push(self, bucket: Bucket, held: Lease, last: Sequence[str]) -> None:
        held.require()
        stamps = {name: Stamp.of(self.folder / name) for name in self._names()}
        for name in sorted(stamps, key=lambda name: (last.index(name) + 1 if name in last else 0, name)):
            version, stamp = self._known.get(name, (None, None))
            if stamp != stamps[name]:
                version = bucket.write(f"{self.key}/{name}", self.folder / name, version)
                self._known[name] = version, stamps[name]
        if gone := [name for name in self._known if name not in stamps]:
            held.renew()
            held.require()
            bucket.delete([f"{self.key}/{name}" for name in gone])
            for name in gone:
                del self._known[name]

    def _download(self, bucket: Bucket, name: str) -> bool:
        """Replace a file by the object, or remove it if there is none; return whether there is one."""
        file = self.folder / name
        new = file.with_name(f".{file.name}.tmp")
        try:
            with atomic.named_temporary():
                version = bucket.download(f"{self.key}/{name}", new)
        except FileNotFoundError:
            file.unlink(missing_ok=True)
            self._known.pop(name, None)
            return False
        new.replace(file)
        self._known[name] = version, Stamp.of(file)
        return True

    def _is_current(self, name: str, version: Version) -> bool:
        file = self.folder / name
        if name not in self._known or not file.exists():
            return False
        known, stamp = self._known[name]
        return known.e_tag == version.e_tag and stamp == Stamp.of(file)

    def _names(self) -> list[str]:
        """Return the names of the files that belong into the bucket."""
        files = (file for file in self.folder.rglob("*") if file.is_file())
        return [
            file.relative_to(self.folder).as_posix()
            for file in files
            if file.name not in _LOCKS and file.suffix != ".tmp"
        ]


@functools.cache
def copy_of(folder: Path) -> Copy:
    """Return the working copy at a path, of which this process has one."""
    return Copy(folder)


@contextlib.contextmanager
def writing(folder: Path, last: Sequence[str]) -> Iterator[Callable[[], None]]:
    """Hold the lease of a folder, bring its working copy up to date, and yield what pushes the changes.

    Args:
        folder: path of the working copy.
        last: names of the files that are pushed last, in this order.
    """
    copy = copy_of(folder)
    with lease.held(Bucket(copy.address), copy.key) as held:
        copy.fetch(lambda _: True)
        copy.is_being_written = True
        try:
            yield functools.partial(copy.push, held, last)
        finally:
            copy.is_being_written = False


def each(do: Callable[[Item], object], items: Iterable[Item]) -> None:
    """Do something with all items, several at a time; raises the first error."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for _ in pool.map(do, items):
            pass


def is_being_written(folder: Path) -> bool:
    """Return whether a process holds the lease of a folder in a bucket; True if that cannot be determined."""
    copy = copy_of(folder)
    return lease.is_held(Bucket(copy.address), copy.key)

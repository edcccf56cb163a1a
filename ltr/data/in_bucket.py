"""Prepared data in a bucket: what is read of them is kept in a folder of this machine, one for each address.

A data set of a name and version never changes, so a file is fetched once. `ltr.data.array_cache` compares
what was fetched with its checksum.
"""

from pathlib import Path

from ltr.addresses import is_address
from ltr.buckets.bucket import Bucket
from ltr.core import cache_paths


def local(place: str) -> Path:
    """Return the folder of this machine for prepared data: the place itself, or the folder for an address."""
    return cache_paths.data_of_buckets() / place if is_address(place) else Path(place).expanduser()


def address_of(path: Path) -> str | None:
    """Return the address of a path in the folder for an address; None of any other path."""
    if not path.is_relative_to(cache_paths.data_of_buckets()):
        return None
    scheme, *names = path.relative_to(cache_paths.data_of_buckets()).parts
    return f"{scheme}//{'/'.join(names)}"


def fetch(file: Path) -> None:
    """Fetch a file that is not here, if it is in the bucket."""
    if (found := _found(file)) and not file.exists():
        _download(*found, file)


def fetch_folder(folder: Path) -> None:
    """Fetch the files of a folder that are not here."""
    if found := _found(folder):
        bucket, key = found
        for name in bucket.versions(key):
            fetch(folder / name)


def is_prepared(folder: Path) -> bool:
    """Return whether the folder of a data set is in the bucket, or on this machine if there is no bucket."""
    if found := _found(folder):
        bucket, key = found
        return bool(bucket.versions(key))
    return folder.exists()


def publish(folder: Path, last: Path, is_new: bool) -> None:
    """Write the folder of a data set to the bucket.

    Args:
        folder: the folder.
        last: file that is written last.
        is_new: whether to replace files that are in the bucket, as these are damaged.
    """
    if not (found := _found(folder)):
        return
    bucket, key = found
    present = {} if is_new else bucket.versions(key)
    files = [file for file in folder.rglob("*") if file.is_file()]
    for file in sorted(files, key=lambda file: (file == last, file)):
        name = file.relative_to(folder).as_posix()
        if name not in present:
            bucket.overwrite(f"{key}/{name}", file)


def _found(path: Path) -> tuple[Bucket, str] | None:
    """Return the bucket of a path and the name of its object there; None if it is in none."""
    address = address_of(path)
    if address is None:
        return None
    return Bucket(address, is_patient=True), address.split("/", 3)[3]


def _download(bucket: Bucket, key: str, file: Path) -> None:
    new = file.with_name(f".{file.name}.tmp")
    try:
        bucket.download(key, new)
    except FileNotFoundError:
        return
    new.replace(file)

"""Original files of a data set: read from a local folder or downloaded, and verified."""

import contextlib
import gzip
import hashlib
import logging
import lzma
import os
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ltr.data.arrays import Arrays
from ltr.data.distribution import Distribution, Original
from ltr.data.registry import DatasetEntry
from ltr.errors import DataNotFoundError, LtrError

_log = logging.getLogger(__name__)

_OPENERS = {b"\x1f\x8b": gzip.decompress, b"\xfd7zXZ\x00": lzma.decompress}
_ALGORITHMS = {32: "MD5", 64: "SHA-256"}
_PROBE_SECONDS = 3.0
_SILENCE_SECONDS = 30.0


class _File(NamedTuple):
    place: str
    content: bytes


def read(entry: DatasetEntry, source: Path | None) -> Arrays:
    """Return the arrays of a data set, read from its original files.

    The files come from `source` if given, else from the folder `$LTR_DATA_SOURCE/<name>` if it exists,
    else from the URLs that TFDS registers.

    Raises:
        DataNotFoundError: a file is missing or cannot be downloaded.
        LtrError: a file differs from the one that the authors distribute.
    """
    distribution, files = fetch(entry, source)
    return distribution.read(files)


def fetch(entry: DatasetEntry, source: Path | None) -> tuple[Distribution, dict[str, bytes]]:
    """Return a distribution of a data set and the decompressed contents of its files by name; see `read`."""
    folder = source or _default_source(entry)
    if not entry.distributions[0].files:
        return entry.distributions[0], {}
    if folder is None:
        distribution = entry.distributions[0]
        files = _downloaded(entry, distribution)
    else:
        distribution = _in_folder(entry, folder)
        files = {file.name: _local(folder, file) for file in distribution.files}
    with ThreadPoolExecutor() as pool:  # decompression and hashing release the interpreter lock
        verified = pool.map(lambda file: _verified(entry, file, files[file.name]), distribution.files)
        return distribution, {
            file.name: content for file, content in zip(distribution.files, verified, strict=True)
        }


def _default_source(entry: DatasetEntry) -> Path | None:
    parent = os.environ.get("LTR_DATA_SOURCE")
    folder = Path(parent).expanduser() / entry.name if parent else None
    return folder if folder is not None and folder.is_dir() else None


def _in_folder(entry: DatasetEntry, folder: Path) -> Distribution:
    """Return the distribution that is complete in a folder; DataNotFoundError if there is none."""

    def missing(distribution: Distribution) -> list[str]:
        return [file.name for file in distribution.files if _path(folder, file) is None]

    best = min(entry.distributions, key=lambda candidate: len(missing(candidate)) / len(candidate.files))
    if missing(best):
        needed = ", or ".join(_listing(distribution) for distribution in entry.distributions)
        raise DataNotFoundError(
            f"{folder / missing(best)[0]}: no such file; {entry.name} needs {needed} in that folder"
        )
    return best


def _listing(distribution: Distribution) -> str:
    *others, last = (file.name for file in distribution.files)
    return f"{', '.join(others)} and {last}" if others else last


def _path(folder: Path, file: Original) -> Path | None:
    names = (file.name, file.name.removesuffix(".gz"), f"{file.name}.gz", f"{file.name}.xz")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _local(folder: Path, file: Original) -> _File:
    path = _path(folder, file) or folder / file.name
    return _File(str(path), path.read_bytes())


def _verified(entry: DatasetEntry, file: Original, stored: _File) -> bytes:
    """Return the decompressed content; LtrError unless its checksum or that of the file is the known one."""
    content = _decompressed(stored)
    algorithm = _ALGORITHMS[len(file.checksum)]
    if file.checksum not in (_digest(algorithm, stored.content), _digest(algorithm, content)):
        raise LtrError(
            f"{stored.place}: not the original file of {entry.name}: "
            f"neither it nor its content has {algorithm} {file.checksum}"
        )
    return content


def _decompressed(stored: _File) -> bytes:
    for magic, opener in _OPENERS.items():
        if stored.content.startswith(magic):
            try:
                return opener(stored.content)
            except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
                raise LtrError(f"{stored.place}: damaged, cannot be decompressed ({error})") from None
    return stored.content


def _digest(algorithm: str, content: bytes) -> str:
    return hashlib.new(algorithm.replace("-", ""), content, usedforsecurity=False).hexdigest()


def _downloaded(entry: DatasetEntry, distribution: Distribution) -> dict[str, _File]:
    import requests

    urls = _registered_urls(entry, distribution) if entry.stock else {}
    advice = f"type: ltr data prepare {entry.name} --from DIR (a folder with its original files)"
    if not urls or not reachable(next(iter(urls.values()))):
        raise DataNotFoundError(f"{entry.name} is not on this machine and cannot be fetched; {advice}")
    try:
        return {name: _File(url, _get(url)) for name, url in urls.items()}
    except requests.RequestException as error:
        raise DataNotFoundError(f"{entry.name} cannot be fetched ({error}); {advice}") from error


def _get(url: str) -> bytes:
    import requests

    _log.info("fetching %s", url)
    response = requests.get(url, timeout=_SILENCE_SECONDS)
    response.raise_for_status()
    return response.content


def _registered_urls(entry: DatasetEntry, distribution: Distribution) -> dict[str, str]:
    """Return the URLs from which TFDS downloads the files of a distribution, by file name."""
    import tensorflow_datasets as tfds

    urls = {PurePosixPath(url).name: url for url in tfds.builder_cls(entry.name).url_infos}
    return {file.name: urls[file.name] for file in distribution.files}


def reachable(url: str) -> bool:
    """Return within a few seconds whether a file can be downloaded."""
    import requests

    answers: list[bool] = []

    def send_request() -> None:
        with contextlib.suppress(requests.RequestException):
            answers.append(requests.head(url, timeout=_PROBE_SECONDS, allow_redirects=True).ok)

    thread = threading.Thread(target=send_request, daemon=True)  # a name lookup ignores the timeout
    thread.start()
    thread.join(_PROBE_SECONDS)
    return any(answers)

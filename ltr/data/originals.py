"""The original files of a data set: found in a local folder or fetched, and verified."""

import contextlib
import gzip
import hashlib
import logging
import os
import threading
import zlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ltr.data.entry import Entry, Original
from ltr.errors import DataNotFoundError, LtrError

_log = logging.getLogger(__name__)

_GZIP = b"\x1f\x8b"
_PROBE_SECONDS = 3.0
_SILENCE_SECONDS = 30.0


class _Found(NamedTuple):
    place: str
    content: bytes


def fetch(entry: Entry, source: Path | None) -> dict[str, bytes]:
    """The unzipped content of each original file, by name.

    They come from `source` if given, else from `$LTR_DATA_SOURCE/<name>` if there is such a
    folder, else from the addresses that TFDS knows.

    Raises:
        DataNotFoundError: a file is missing, or cannot be fetched.
        LtrError: a file is not what its authors distribute.
    """
    if not entry.originals:
        return {}
    folder = source or _standing_source(entry)
    found = _downloaded(entry) if folder is None else _local(entry, folder)
    return {original.name: _verified(entry, original, found[original.name]) for original in entry.originals}


def _standing_source(entry: Entry) -> Path | None:
    parent = os.environ.get("LTR_DATA_SOURCE")
    folder = Path(parent).expanduser() / entry.name if parent else None
    return folder if folder is not None and folder.is_dir() else None


def _local(entry: Entry, folder: Path) -> dict[str, _Found]:
    found = {}
    names = [original.name for original in entry.originals]
    for name in names:
        candidates = (folder / f"{name}.gz", folder / name)
        path = next((path for path in candidates if path.is_file()), None)
        if path is None:
            raise DataNotFoundError(
                f"{candidates[0]}: no such file; "
                f"{entry.name} needs {', '.join(names)} in that folder, gzipped or not"
            )
        found[name] = _Found(str(path), path.read_bytes())
    return found


def _verified(entry: Entry, original: Original, found: _Found) -> bytes:
    place, content = found
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise LtrError(f"{place}: damaged, cannot be unzipped ({error})") from None
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != original.sha256:
        raise LtrError(
            f"{place}: not the original file of {entry.name}: SHA-256 of its unzipped content is {sha256}, "
            f"expected {original.sha256}"
        )
    return content


def _downloaded(entry: Entry) -> dict[str, _Found]:
    import requests

    urls = _registered_urls(entry)
    advice = f"type: ltr data prepare {entry.name} --from DIR (a folder with its original files)"
    if not reachable(next(iter(urls.values()))):
        raise DataNotFoundError(f"{entry.name} is not on this machine and cannot be fetched; {advice}")
    try:
        return {name: _Found(url, _get(url)) for name, url in urls.items()}
    except requests.RequestException as error:
        raise DataNotFoundError(f"{entry.name} cannot be fetched ({error}); {advice}") from error


def _get(url: str) -> bytes:
    import requests

    _log.info("fetching %s", url)
    response = requests.get(url, timeout=_SILENCE_SECONDS)
    response.raise_for_status()
    return response.content


def _registered_urls(entry: Entry) -> dict[str, str]:
    """Where TFDS fetches each original file, by name."""
    import tensorflow_datasets as tfds

    names = [original.name for original in entry.originals]
    urls = {PurePosixPath(url).stem: url for url in tfds.builder_cls(entry.name).url_infos}
    return {name: urls[name] for name in names}


def reachable(url: str) -> bool:
    """Whether a file can be fetched, known within seconds."""
    import requests

    answers: list[bool] = []

    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            answers.append(requests.head(url, timeout=_PROBE_SECONDS, allow_redirects=True).ok)

    thread = threading.Thread(target=ask, daemon=True)  # looking up a name obeys no timeout
    thread.start()
    thread.join(_PROBE_SECONDS)
    return any(answers)

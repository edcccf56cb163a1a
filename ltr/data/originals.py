"""The original files of a data set: found in a local folder or fetched, and verified."""

import contextlib
import gzip
import hashlib
import os
import threading
import zlib
from pathlib import Path, PurePosixPath

from ltr.data.entry import Entry, Original
from ltr.errors import DataNotFoundError, LtrError

_PROBE_SECONDS = 3.0


def fetch(entry: Entry, source: Path | None, root: Path) -> dict[str, bytes]:
    """The unzipped content of each original file, by name.

    They come from `source` if given, else from `$LTR_DATA_SOURCE/<name>` if there is such a
    folder, else from the network into `<root>/downloads`.

    Raises:
        DataNotFoundError: a file is missing, or cannot be fetched.
        LtrError: a file is not what its authors distribute.
    """
    if not entry.originals:
        return {}
    folder = source or _standing_source(entry)
    paths = _downloaded(entry, root) if folder is None else _local(entry, folder)
    return {original.name: _content(entry, original, paths[original.name]) for original in entry.originals}


def _standing_source(entry: Entry) -> Path | None:
    parent = os.environ.get("LTR_DATA_SOURCE")
    folder = Path(parent).expanduser() / entry.name if parent else None
    return folder if folder is not None and folder.is_dir() else None


def _local(entry: Entry, folder: Path) -> dict[str, Path]:
    paths = {}
    names = [original.name for original in entry.originals]
    for name in names:
        candidates = (folder / f"{name}.gz", folder / name)
        path = next((path for path in candidates if path.is_file()), None)
        if path is None:
            raise DataNotFoundError(
                f"{candidates[0]}: no such file; "
                f"{entry.name} needs {', '.join(names)} in that folder, gzipped or not"
            )
        paths[name] = path
    return paths


def _content(entry: Entry, original: Original, path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise LtrError(f"{path}: damaged, cannot be unzipped ({error})") from None
    found = hashlib.sha256(content).hexdigest()
    if found != original.sha256:
        raise LtrError(
            f"{path}: not the original file of {entry.name}: SHA-256 of its unzipped content is {found}, "
            f"expected {original.sha256}"
        )
    return content


def _downloaded(entry: Entry, root: Path) -> dict[str, Path]:
    import tensorflow_datasets as tfds  # type: ignore[import-untyped]

    urls = _registered_urls(entry)
    advice = f"type: ltr data prepare {entry.name} --from DIR (a folder with its original files)"
    if not reachable(next(iter(urls.values()))):
        raise DataNotFoundError(f"{entry.name} is not on this machine and cannot be fetched; {advice}")
    manager = tfds.download.DownloadManager(download_dir=root / "downloads", dataset_name=entry.name)
    try:
        return {name: Path(path) for name, path in manager.download(urls).items()}
    except Exception as error:  # of the transport, of the disk, or a wrong checksum
        problem = str(error).partition("\n")[0]
        raise DataNotFoundError(f"{entry.name} cannot be fetched ({problem}); {advice}") from error


def _registered_urls(entry: Entry) -> dict[str, str]:
    """Where TFDS fetches each original file, by name."""
    import tensorflow_datasets as tfds

    names = [original.name for original in entry.originals]
    urls = {PurePosixPath(url).stem: url for url in tfds.builder_cls(entry.name).url_infos}
    return {name: urls[name] for name in names}


def reachable(url: str) -> bool:
    """Whether a file can be fetched, known within seconds: TFDS itself tries for minutes."""
    import requests  # what TFDS fetches with: the same proxies and certificates apply

    answers: list[bool] = []

    def ask() -> None:
        with contextlib.suppress(requests.RequestException):
            answers.append(requests.head(url, timeout=_PROBE_SECONDS, allow_redirects=True).ok)

    thread = threading.Thread(target=ask, daemon=True)  # looking up a name obeys no timeout
    thread.start()
    thread.join(_PROBE_SECONDS)
    return any(answers)

"""Objects of a bucket, in Amazon S3 and what speaks its protocol, or in Google Cloud Storage.

Every write is conditional: an object replaces exactly the version that was seen last, or none. So of two
processes that write the same object one is refused.
"""

import contextlib
import functools
import os
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ltr.errors import ConfigError, LtrError

if TYPE_CHECKING:
    from obstore import PutMode, UpdateVersion
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

EXTRA = "remote"

_PATIENCE = timedelta(minutes=3)
"""Longest time for which a request of a run in training is repeated."""

_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
}
"""Variables of the environment that give access, by scheme."""

_OF_REFUSALS = ("401 Unauthorized", "403 Forbidden", "/latest/", "/computeMetadata/")
"""Parts of the messages of refusals, and of addresses that are asked for credentials if there are none."""


class BucketError(LtrError):
    """A bucket does not answer, or refuses a request; `problem` is what the message says of the address."""

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(f"{address}: {problem}")
        self.problem = problem


class AccessError(BucketError, ConfigError):
    """There is no such bucket, or no access to it."""


class ConflictError(LtrError):
    """Another process has written an object since it was seen."""


class Version(NamedTuple):
    """Version of an object, by which a write is conditional; S3 knows the first part, Google the second."""

    e_tag: str | None
    generation: str | None


class Found(NamedTuple):
    """Content of an object, and its version."""

    content: bytes
    version: Version


NEVER = Version('"0"', "1")
"""Version that no object has."""


class Bucket:
    """Bucket of an object store.

    Args:
        address: address of the bucket, or of a place in it.
        is_patient: whether requests may take minutes, as in a training and of large objects; else seconds.
    """

    def __init__(self, address: str, is_patient: bool = False) -> None:
        self.scheme, _, path = address.partition("://")
        self.name = path.partition("/")[0]
        self._is_patient = is_patient

    def read(self, key: str) -> Found:
        """Return an object; FileNotFoundError if there is none."""
        import obstore

        with self._explained():
            result = obstore.get(self._store, key)
            return Found(bytes(result.bytes()), _version(result.meta))

    def download(self, key: str, file: Path) -> Version:
        """Write an object to a file, and return its version; FileNotFoundError if there is none.

        The file is as old as the object.
        """
        import obstore

        with self._explained():
            result = obstore.get(self._store, key)
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as stream:
                for block in result:
                    stream.write(block)
            os.utime(file, (result.meta["last_modified"].timestamp(),) * 2)
            return _version(result.meta)

    def write(self, key: str, content: bytes | Path, replaced: Version | None) -> Version:
        """Write an object, and return its version.

        A request that is repeated finds what it wrote itself, if the first answer was lost. So an object that
        equals the content is taken for that.

        Args:
            key: name of the object.
            content: bytes, or the file that holds them.
            replaced: version that is replaced; None if there must be no object.

        Raises:
            ConflictError: there is another version.
        """
        try:
            return self._write(key, content, _mode(replaced))
        except ConflictError:
            with contextlib.suppress(FileNotFoundError):
                found = self.read(key)
                if found.content == (content.read_bytes() if isinstance(content, Path) else content):
                    return found.version
            raise

    def overwrite(self, key: str, content: Path) -> None:
        """Write an object whatever was there."""
        self._write(key, content, "overwrite")

    def honours_conditions(self, key: str, content: bytes) -> bool:
        """Return whether writes that must be refused are; `content` is that of the object."""
        for replaced in (None, NEVER):
            try:
                self._write(key, content, _mode(replaced))
            except ConflictError:
                continue
            return False
        return True

    def versions(self, folder: str) -> dict[str, Version]:
        """Return the versions of all objects below a folder, by their names in it."""
        import obstore

        with self._explained():
            found = [meta for chunk in obstore.list(self._store, folder) for meta in chunk]
        names = {meta["path"].removeprefix(f"{folder}/"): _version(meta) for meta in found}
        return {name: version for name, version in names.items() if _is_plain(name)}

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders in a folder."""
        import obstore

        with self._explained():
            found = obstore.list_with_delimiter(self._store, folder or None)["common_prefixes"]
        names = [path.rpartition("/")[2] for path in found]
        return [name for name in names if _is_plain(name)]

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there are no error."""
        import obstore

        with self._explained():
            for key in keys:
                obstore.delete(self._store, key)

    def _write(self, key: str, content: bytes | Path, mode: "PutMode") -> Version:
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        with self._explained():
            try:
                return _version(obstore.put(self._store, key, content, mode=mode, use_multipart=False))
            except (AlreadyExistsError, PreconditionError):
                raise ConflictError(f"{self._address(key)}: another process has written it") from None

    @property
    def _store(self) -> "ObjectStore":
        return _store(f"{self.scheme}://{self.name}", self._is_patient)

    def _address(self, key: str) -> str:
        return f"{self.scheme}://{self.name}/{key}".removesuffix("/")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise an error of obstore as one of ltr; FileNotFoundError for an object that is not there."""
        from obstore.exceptions import BaseError

        try:
            yield
        except (BaseError, FileNotFoundError) as error:
            text, address = str(error), self._address("")
            if "NoSuchBucket" in text:
                raise AccessError(address, "there is no such bucket") from None
            if isinstance(error, FileNotFoundError):
                raise
            if any(part in text for part in _OF_REFUSALS):
                remedy = f"{_CREDENTIALS[self.scheme]} in the environment must give access"
                raise AccessError(address, f"access is refused ({_reason(text)}); {remedy}") from None
            problem = "does not answer" if "HTTP error" in text else "refuses a request"
            raise BucketError(address, f"{problem} ({_reason(text)})") from None


@functools.cache
def _store(address: str, is_patient: bool) -> "ObjectStore":
    """Return the store of a bucket, with the credentials and the endpoint of the environment."""
    from ltr.core.extras import install_command

    try:
        from obstore.exceptions import BaseError
        from obstore.store import GCSStore, S3Store
    except ImportError:
        raise ConfigError(f"{address}: needs the extra {EXTRA}; type: {install_command(EXTRA)}") from None
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=5),
        "timeout": timedelta(minutes=10) if is_patient else timedelta(seconds=5),
        "allow_http": endpoint.startswith("http://"),
    }
    retries: RetryConfig = {"max_retries": 100 if is_patient else 2, "retry_timeout": _PATIENCE}
    try:
        kind = S3Store if address.startswith("s3:") else GCSStore
        return kind.from_url(address, client_options=options, retry_config=retries)
    except (BaseError, ValueError) as error:
        raise AccessError(address, _reason(str(error))) from None


def _mode(replaced: Version | None) -> "PutMode":
    if replaced is None:
        return "create"
    mode: UpdateVersion = {}
    if replaced.e_tag is not None:
        mode["e_tag"] = replaced.e_tag
    if replaced.generation is not None:
        mode["version"] = replaced.generation
    return mode


def _version(answer: Any) -> Version:
    return Version(answer["e_tag"], answer["version"])


def _is_plain(name: str) -> bool:
    """Return whether a name, which may be anybody's, is one of a file below the folder."""
    return {"", ".", ".."}.isdisjoint(name.split("/")) and "\\" not in name


def _reason(text: str) -> str:
    """Return the cause in the message of obstore: the code that the server sent, or the last words."""
    if code := re.search("<Code>(.*?)</Code>", text):
        return code[1]
    return text.partition("\n")[0].strip().rpartition(" - ")[2][:120]

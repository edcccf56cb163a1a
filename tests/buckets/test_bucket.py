"""Objects: conditional writes, names, and errors that say what to do."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import obstore
import pytest

from ltr.buckets import bucket as buckets
from ltr.buckets.bucket import AccessError, Bucket, BucketError, ConflictError, Version
from ltr.errors import ConfigError
from tests.buckets.conftest import Afresh


@pytest.fixture
def place(bucket: str) -> tuple[Bucket, str]:
    """A bucket, and a folder in it."""
    return Bucket(bucket), bucket.split("/", 3)[3]


def test_a_write_replaces_the_version_that_was_seen(place: tuple[Bucket, str], tmp_path: Path) -> None:
    bucket, folder = place
    first = bucket.write(f"{folder}/a", b"one", None)
    second = bucket.write(f"{folder}/a", b"two", first)
    assert bucket.read(f"{folder}/a") == (b"two", second)
    with pytest.raises(ConflictError, match=r"another process has written it$"):
        bucket.write(f"{folder}/a", b"three", first)
    with pytest.raises(ConflictError):
        bucket.write(f"{folder}/a", b"three", None)
    with pytest.raises(ConflictError):
        bucket.write(f"{folder}/b", b"three", first)
    assert bucket.read(f"{folder}/a").content == b"two"
    (file := tmp_path / "file").write_bytes(b"four")
    third = bucket.write(f"{folder}/a", file, second)
    assert bucket.download(f"{folder}/a", tmp_path / "copy") == third
    assert (tmp_path / "copy").read_bytes() == b"four"


def test_a_repeated_write_finds_what_it_wrote(place: tuple[Bucket, str], tmp_path: Path) -> None:
    """As if the answer to the first request had been lost."""
    bucket, folder = place
    first = bucket.write(f"{folder}/a", b"one", None)
    assert bucket.write(f"{folder}/a", b"one", None) == first
    (file := tmp_path / "file").write_bytes(b"one")
    assert bucket.write(f"{folder}/a", file, buckets.NEVER) == first


def test_of_many_that_write_at_once_one_succeeds(place: tuple[Bucket, str]) -> None:
    bucket, folder = place

    def write(number: int) -> int | None:
        try:
            bucket.write(f"{folder}/a", str(number).encode(), None)
        except ConflictError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        (winner,) = [number for number in pool.map(write, range(24)) if number is not None]
    assert bucket.read(f"{folder}/a").content == str(winner).encode()


def test_folders_and_versions_are_listed(place: tuple[Bucket, str]) -> None:
    bucket, folder = place
    assert (bucket.versions(folder), bucket.folders(folder)) == ({}, [])
    wanted = {
        name: bucket.write(f"{folder}/{name}", name.encode(), None) for name in ("a", "b/c", "b/d/e", "bb/f")
    }
    assert bucket.versions(folder) == wanted
    assert bucket.versions(f"{folder}/b") == {"c": wanted["b/c"], "d/e": wanted["b/d/e"]}
    assert sorted(bucket.folders(folder)) == ["b", "bb"]
    bucket.delete([f"{folder}/a", f"{folder}/none"])
    assert set(bucket.versions(folder)) == {"b/c", "b/d/e", "bb/f"}


@pytest.mark.parametrize("name", ["../a", "a/../../b", "a//b", "a/./b", "/a", "a\\b", ""])
def test_names_that_lead_out_of_the_folder_are_left_out(name: str) -> None:
    assert not buckets._is_plain(name)
    assert buckets._is_plain("a/..b/c")


def test_a_store_without_conditions_is_found_out(
    place: tuple[Bucket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, folder = place
    bucket.write(f"{folder}/a", b"one", None)
    assert bucket.honours_conditions(f"{folder}/a", b"one")
    put = obstore.put
    for ignored in (str, dict):

        def without(*arguments: object, mode: object, ignored: type = ignored, **options: object) -> object:
            return put(*arguments, mode="overwrite" if isinstance(mode, ignored) else mode, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(obstore, "put", without)
        assert not bucket.honours_conditions(f"{folder}/a", b"one")


# Errors


def test_an_absent_object_and_an_absent_bucket_differ(place: tuple[Bucket, str]) -> None:
    bucket, folder = place
    bucket.write(f"{folder}/a", b"one", None)
    with pytest.raises(FileNotFoundError):
        bucket.read(f"{folder}/none")
    for ask in (lambda one: one.read("a"), lambda one: one.versions("a"), lambda one: one.folders("")):
        with pytest.raises(AccessError, match=r"^s3://absent-bucket: there is no such bucket$"):
            ask(Bucket("s3://absent-bucket/a"))


def test_a_wrong_key_is_named(bucket: str, afresh: Afresh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    afresh()
    with pytest.raises(ConfigError) as error:
        Bucket(bucket).folders("")
    assert str(error.value) == (
        "s3://bucket: access is refused (SignatureDoesNotMatch); AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
        "in the environment must give access"
    )


class _Stub(BaseHTTPRequestHandler):
    """Refuses everything, as a machine that has no credentials to give."""

    def do_PUT(self) -> None:
        self.send_error(404)

    do_GET = do_PUT  # noqa: N815

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def refusing() -> Iterator[str]:
    """Address of a server that refuses everything."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Stub) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_without_credentials_the_variables_are_named(
    bucket: str, refusing: str, afresh: Afresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", refusing)
    afresh()
    with pytest.raises(
        AccessError, match=r": access is refused .*; AWS_ACCESS_KEY_ID and .* must give access$"
    ):
        Bucket(bucket).folders("")


def test_a_server_that_does_not_answer_is_said_at_once(
    bucket: str, afresh: Afresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    afresh()
    with pytest.raises(BucketError, match=r"^s3://bucket: does not answer \(.*sending request\)$") as error:
        Bucket(bucket).folders("")
    assert not isinstance(error.value, ConfigError)


def test_google_is_asked_for_generations() -> None:
    """There is no server to try it with; the condition is that of its protocol."""
    assert buckets._mode(Version(None, "17")) == {"version": "17"}
    assert buckets._mode(Version('"a"', None)) == {"e_tag": '"a"'}
    assert buckets._mode(None) == "create"

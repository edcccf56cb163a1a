import functools
import gzip
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from ltr.data import originals
from ltr.data.digits import DIGITS
from ltr.data.entry import Entry
from ltr.data.mnist import FASHION_MNIST, MNIST
from ltr.errors import DataNotFoundError, LtrError


def test_local_files_are_read(tiny: Entry, tiny_source: Path, tiny_files: dict[str, bytes]) -> None:
    assert originals.fetch(tiny, tiny_source) == tiny_files


def test_it_does_not_matter_who_zipped_them(
    tiny: Entry, tiny_source: Path, tiny_files: dict[str, bytes]
) -> None:
    for level, (name, content) in enumerate(tiny_files.items(), start=1):
        with gzip.GzipFile(tiny_source / f"{name}.gz", "wb", compresslevel=level, mtime=level) as file:
            file.write(content)
    assert originals.fetch(tiny, tiny_source) == tiny_files


def test_nor_whether_they_are_zipped(tiny: Entry, tiny_source: Path, tiny_files: dict[str, bytes]) -> None:
    for name, content in tiny_files.items():
        (tiny_source / f"{name}.gz").unlink()
        (tiny_source / name).write_bytes(content)
    assert originals.fetch(tiny, tiny_source) == tiny_files


def test_a_missing_file_is_named_with_what_is_needed(tiny: Entry, tiny_source: Path) -> None:
    missing = tiny_source / "t10k-images-idx3-ubyte.gz"
    missing.unlink()
    with pytest.raises(DataNotFoundError) as caught:
        originals.fetch(tiny, tiny_source)
    assert str(caught.value).startswith(f"{missing}: no such file; mnist needs train-images-idx3-ubyte, ")


def test_a_wrong_file_is_named_with_both_checksums(
    tiny: Entry, tiny_source: Path, tiny_files: dict[str, bytes]
) -> None:
    name = "train-labels-idx1-ubyte"
    wrong = tiny_source / f"{name}.gz"
    wrong.write_bytes(gzip.compress(tiny_files[name][:-1] + b"\x09\x09"))
    with pytest.raises(LtrError) as caught:
        originals.fetch(tiny, tiny_source)
    message = str(caught.value)
    assert message.startswith(f"{wrong}: not the original file of mnist")
    assert message.endswith(f"expected {tiny.originals[1].sha256}")


@pytest.mark.parametrize("keep", [0, 5, 100])
def test_a_truncated_zip_is_named(tiny: Entry, tiny_source: Path, keep: int) -> None:
    path = tiny_source / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(LtrError, match=r"train-images-idx3-ubyte\.gz: "):
        originals.fetch(tiny, tiny_source)


def test_the_standing_source_is_looked_into_first(
    tiny: Entry, tiny_source: Path, tiny_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LTR_DATA_SOURCE", str(tiny_source.parent))
    assert originals.fetch(tiny, None) == tiny_files


def test_a_given_folder_comes_before_the_standing_source(
    tiny: Entry, tiny_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LTR_DATA_SOURCE", str(tiny_source.parent))
    with pytest.raises(DataNotFoundError, match="no such file"):
        originals.fetch(tiny, tmp_path / "elsewhere")


def test_embedded_data_needs_no_files() -> None:
    assert originals.fetch(DIGITS, None) == {}


@pytest.mark.parametrize("entry", [MNIST, FASHION_MNIST], ids=lambda entry: entry.name)
def test_tfds_says_where_each_file_is(entry: Entry) -> None:
    urls = originals._registered_urls(entry)
    assert list(urls) == [original.name for original in entry.originals]
    assert all(url.endswith(f"/{name}.gz") for name, url in urls.items())


@pytest.fixture
def server(tiny_source: Path, tiny: Entry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder behind the addresses that TFDS knows."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tiny_source))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        urls = {o.name: f"http://127.0.0.1:{server.server_port}/{o.name}.gz" for o in tiny.originals}
        monkeypatch.setattr(originals, "_registered_urls", lambda _: urls)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield tiny_source
        server.shutdown()


def test_files_are_fetched_from_the_network(tiny: Entry, server: Path, tiny_files: dict[str, bytes]) -> None:
    assert originals.fetch(tiny, None) == tiny_files


def test_a_wrong_file_from_the_network_is_refused(tiny: Entry, server: Path) -> None:
    (server / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(LtrError, match="not the original file of mnist"):
        originals.fetch(tiny, None)


def test_a_fetch_that_fails_half_way_says_what_to_type(tiny: Entry, server: Path) -> None:
    (server / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        DataNotFoundError, match=r"mnist cannot be fetched \(.*; type: ltr data prepare mnist --from"
    ):
        originals.fetch(tiny, None)


def _refuses(*_: object, **__: object) -> None:
    raise requests.ConnectionError("no route to host")


def _hangs(*_: object, **__: object) -> None:
    time.sleep(6)
    raise requests.ConnectionError("too late")


@pytest.mark.parametrize("head", [_hangs, _refuses])
def test_without_a_network_it_says_what_to_type_within_seconds(
    head: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "head", head)
    start = time.monotonic()
    with pytest.raises(DataNotFoundError) as caught:
        originals.fetch(MNIST, None)
    assert time.monotonic() - start < 5
    assert str(caught.value) == (
        "mnist is not on this machine and cannot be fetched; "
        "type: ltr data prepare mnist --from DIR (a folder with its original files)"
    )


def test_a_refusal_is_not_an_answer(server: Path) -> None:
    url = originals._registered_urls(MNIST)["train-images-idx3-ubyte"]
    assert originals.reachable(url)
    assert not originals.reachable(f"{url}.missing")

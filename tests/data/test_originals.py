import dataclasses
import functools
import gzip
import hashlib
import http.server
import lzma
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import requests

from ltr.data import originals
from ltr.data.distribution import Files, Original
from ltr.data.registry import DATASETS, DatasetEntry, distributed
from ltr.errors import DataNotFoundError, LtrError

DISTRIBUTED = distributed()
DIGITS = distributed()["digits"]
MNIST = distributed()["mnist"]
CIFAR10 = distributed()["cifar10"]


def content_of(entry: DatasetEntry, source: Path | None) -> dict[str, bytes]:
    return originals.fetch(entry, source)[1]


def test_local_files_are_read(tiny: DatasetEntry, tiny_source: Path, tiny_files: dict[str, bytes]) -> None:
    assert content_of(tiny, tiny_source) == tiny_files


def test_it_does_not_matter_who_zipped_them(
    tiny: DatasetEntry, tiny_source: Path, tiny_files: dict[str, bytes]
) -> None:
    for level, (name, content) in enumerate(tiny_files.items(), start=1):
        with gzip.GzipFile(tiny_source / name, "wb", compresslevel=level, mtime=level) as file:
            file.write(content)
    assert content_of(tiny, tiny_source) == tiny_files


@pytest.mark.parametrize("suffix", ["", ".xz"])
def test_nor_whether_they_are_zipped(
    suffix: str, tiny: DatasetEntry, tiny_source: Path, tiny_files: dict[str, bytes]
) -> None:
    for name, content in tiny_files.items():
        (tiny_source / name).unlink()
        path = tiny_source / (name if suffix else name.removesuffix(".gz"))
        path.with_name(path.name + suffix).write_bytes(lzma.compress(content) if suffix else content)
    assert content_of(tiny, tiny_source) == tiny_files


def test_a_missing_file_is_named_with_what_is_needed(tiny: DatasetEntry, tiny_source: Path) -> None:
    missing = tiny_source / "t10k-images-idx3-ubyte.gz"
    missing.unlink()
    with pytest.raises(DataNotFoundError) as caught:
        originals.fetch(tiny, tiny_source)
    assert str(caught.value).startswith(f"{missing}: no such file; mnist needs train-images-idx3-ubyte.gz, ")
    assert str(caught.value).endswith(
        "t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz in that folder"
    )


def test_a_wrong_file_is_named_with_its_checksum(
    tiny: DatasetEntry, tiny_source: Path, tiny_files: dict[str, bytes]
) -> None:
    name = "train-labels-idx1-ubyte.gz"
    wrong = tiny_source / name
    wrong.write_bytes(gzip.compress(tiny_files[name][:-1] + b"\x09\x09"))
    with pytest.raises(LtrError) as caught:
        originals.fetch(tiny, tiny_source)
    assert str(caught.value) == (
        f"{wrong}: not the original file of mnist: neither it nor its content has "
        f"SHA-256 {tiny.distributions[0].files[1].checksum}"
    )


@pytest.mark.parametrize("keep", [0, 5, 100])
def test_a_truncated_zip_is_named(tiny: DatasetEntry, tiny_source: Path, keep: int) -> None:
    path = tiny_source / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(LtrError, match=r"train-images-idx3-ubyte\.gz: "):
        originals.fetch(tiny, tiny_source)


def test_an_archive_may_be_known_by_its_own_checksum(
    tiny: DatasetEntry, tiny_source: Path, tiny_files: dict[str, bytes], registered
) -> None:
    known = tuple(
        Original(file.name, hashlib.md5((tiny_source / file.name).read_bytes()).hexdigest())
        for file in tiny.distributions[0].files
    )
    zipped = registered(DATASETS, tiny, Files((tiny.distributions[0]._replace(files=known),)))
    assert content_of(zipped, tiny_source) == tiny_files
    (tiny_source / known[0].name).write_bytes(gzip.compress(tiny_files[known[0].name], 1))
    with pytest.raises(LtrError, match=f"neither it nor its content has MD5 {known[0].checksum}$"):
        originals.fetch(zipped, tiny_source)


def test_the_distribution_that_is_whole_is_taken(small, tmp_path: Path, registered) -> None:
    binary, python = small("cifar10", 1), small("cifar10", 2)
    forms = (*binary.entry.distributions, *python.entry.distributions)
    both = registered(DATASETS, CIFAR10, Files(forms))
    binary.write(tmp_path)
    (tmp_path / "data_batch_5.bin").unlink()
    python.write(tmp_path)
    np.testing.assert_array_equal(originals.read(both, tmp_path).train.images, python.arrays.train.images)
    (tmp_path / "test_batch").unlink()
    (tmp_path / "data_batch_1").unlink()
    with pytest.raises(DataNotFoundError) as caught:
        originals.fetch(both, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/data_batch_5.bin: no such file; cifar10 needs data_batch_1.bin, data_batch_2.bin, "
        "data_batch_3.bin, data_batch_4.bin, data_batch_5.bin and test_batch.bin, or data_batch_1, "
        "data_batch_2, data_batch_3, data_batch_4, data_batch_5 and test_batch in that folder"
    )


def test_nothing_is_unpickled_that_is_not_an_original(small, tmp_path: Path) -> None:
    python = small("cifar10", 2)
    witness = tmp_path / "witness"
    evil = f"cposix\nmkdir\n(V{witness}\ntR.".encode()
    python.write(tmp_path)
    (tmp_path / "data_batch_3").write_bytes(evil)
    with pytest.raises(LtrError, match="data_batch_3: not the original file of cifar10"):
        originals.read(python.entry, tmp_path)
    assert not witness.exists()
    pickle.loads(evil)
    assert witness.exists(), "the bait does not work"


def test_the_standing_source_is_looked_into_first(
    tiny: DatasetEntry, tiny_source: Path, tiny_files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LTR_DATA_SOURCE", str(tiny_source.parent))
    assert content_of(tiny, None) == tiny_files


def test_a_given_folder_comes_before_the_standing_source(
    tiny: DatasetEntry, tiny_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LTR_DATA_SOURCE", str(tiny_source.parent))
    with pytest.raises(DataNotFoundError, match="no such file"):
        originals.fetch(tiny, tmp_path / "elsewhere")


def test_embedded_data_needs_no_files() -> None:
    assert content_of(DIGITS, None) == {}


@pytest.mark.parametrize(
    "entry", [entry for entry in DISTRIBUTED.values() if entry.stock], ids=lambda entry: entry.name
)
def test_tfds_says_where_each_file_is(entry: DatasetEntry) -> None:
    urls = originals._registered_urls(entry, entry.distributions[0])
    assert list(urls) == [file.name for file in entry.distributions[0].files]
    assert all(url.endswith(f"/{name}") for name, url in urls.items())


@pytest.fixture
def server(tiny_source: Path, tiny: DatasetEntry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder behind the addresses that TFDS knows."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tiny_source))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        names = [file.name for file in tiny.distributions[0].files]
        urls = {name: f"http://127.0.0.1:{server.server_port}/{name}" for name in names}
        monkeypatch.setattr(originals, "_registered_urls", lambda *_: urls)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield tiny_source
        server.shutdown()


def test_files_are_fetched_from_the_network(
    tiny: DatasetEntry, server: Path, tiny_files: dict[str, bytes]
) -> None:
    assert content_of(tiny, None) == tiny_files


def test_a_wrong_file_from_the_network_is_refused(tiny: DatasetEntry, server: Path) -> None:
    (server / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    with pytest.raises(LtrError, match="not the original file of mnist"):
        originals.fetch(tiny, None)


def test_a_fetch_that_fails_half_way_says_what_to_type(tiny: DatasetEntry, server: Path) -> None:
    (server / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        DataNotFoundError, match=r"mnist cannot be fetched \(.*; type: ltr data prepare mnist --from"
    ):
        originals.fetch(tiny, None)


def test_a_data_set_that_tfds_does_not_have_is_not_fetched(tiny: DatasetEntry, server: Path) -> None:
    with pytest.raises(DataNotFoundError, match="cannot be fetched; type: ltr data prepare mnist --from DIR"):
        originals.fetch(dataclasses.replace(tiny, stock=False), None)


def _refuses(*_: object, **__: object) -> None:
    raise requests.ConnectionError("no route to host")


def _hangs(*_: object, **__: object) -> SimpleNamespace:
    time.sleep(1)
    return SimpleNamespace(ok=True)  # too late


@pytest.mark.parametrize("head", [_hangs, _refuses])
def test_without_an_answer_it_says_what_to_type(head: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "head", head)
    monkeypatch.setattr(originals, "_PROBE_SECONDS", 0.1)
    with pytest.raises(DataNotFoundError) as caught:
        originals.fetch(MNIST, None)
    assert str(caught.value) == (
        "mnist is not on this machine and cannot be fetched; "
        "type: ltr data prepare mnist --from DIR (a folder with its original files)"
    )


def test_a_refusal_is_not_an_answer(server: Path) -> None:
    url = originals._registered_urls(MNIST, MNIST.distributions[0])["train-images-idx3-ubyte.gz"]
    assert originals.reachable(url)
    assert not originals.reachable(f"{url}.missing")

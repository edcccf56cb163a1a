"""Prepared data in a bucket: written once, fetched once to each machine, and compared with their checksum."""

import logging
from pathlib import Path

import numpy as np
import pytest

from ltr.buckets.bucket import Bucket
from ltr.cli import main
from ltr.data import originals, tfds_files
from ltr.data.prepare import data_root, prepare
from ltr.data.registry import find
from ltr.errors import ConfigError
from tests.buckets.conftest import objects

DIGITS = find("digits")


def on_another_machine(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go on with caches that are empty, where the original files cannot be had."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    monkeypatch.setattr(originals, "read", lambda *_: pytest.fail("read the original files"))


@pytest.fixture
def first_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "first"))


@pytest.mark.usefixtures("first_machine")
def test_one_machine_prepares_data_for_all(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = prepare(DIGITS, data_root(bucket))
    assert "digits/1.0.0/ltr_arrays.bin" in objects(bucket)
    on_another_machine(tmp_path / "second", monkeypatch)
    found = prepare(DIGITS, data_root(bucket))
    np.testing.assert_array_equal(found.train.images, wanted.train.images)
    np.testing.assert_array_equal(found.test.labels, wanted.test.labels)
    assert [file.name for file in (tmp_path / "second").rglob("*.bin")] == ["ltr_arrays.bin"]
    monkeypatch.setattr(Bucket, "download", lambda *_: pytest.fail("fetched twice"))
    prepare(DIGITS, data_root(bucket))
    assert main(["data", "list", "--data-dir", bucket]) == 0
    lines = capsys.readouterr().out.splitlines()
    prepared = {line.split()[0]: line.split()[4] for line in lines if line.startswith(("digits", "mnist"))}
    assert prepared == {"digits": "yes", "mnist": "no"}


@pytest.mark.usefixtures("first_machine")
def test_verifying_fetches_everything(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(DIGITS, data_root(bucket))
    on_another_machine(tmp_path / "second", monkeypatch)
    assert main(["data", "verify", "digits", "--data-dir", bucket]) == 0


@pytest.mark.usefixtures("first_machine")
def test_damaged_arrays_are_made_again_for_all(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prepare(DIGITS, data_root(bucket))
    whole = objects(bucket)
    (damaged := tmp_path / "damaged").write_bytes(b"\0" * len(whole["digits/1.0.0/ltr_arrays.bin"]))
    Bucket(bucket).overwrite(f"{bucket.split('/', 3)[3]}/digits/1.0.0/ltr_arrays.bin", damaged)
    on_another_machine(tmp_path / "second", monkeypatch)
    monkeypatch.setattr(tfds_files, "write", lambda *_: pytest.fail("prepared what is prepared"))
    with caplog.at_level(logging.WARNING, "ltr"):
        prepare(DIGITS, data_root(bucket))
    assert "ltr_arrays.bin is damaged: rebuilding it" in caplog.text
    assert objects(bucket) == whole


@pytest.mark.usefixtures("first_machine")
def test_a_command_writes_what_the_bucket_lacks(bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(DIGITS, data_root(bucket))
    whole = objects(bucket)
    Bucket(bucket).delete([f"{bucket.split('/', 3)[3]}/{name}" for name in whole])
    assert main(["data", "prepare", "digits", "--data-dir", bucket]) == 0
    assert capsys.readouterr().err.endswith(f"digits is ready in {bucket}/digits/1.0.0\n")
    assert objects(bucket) == {name: content for name, content in whole.items() if name != "made"}


@pytest.mark.usefixtures("first_machine")
@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("s3://absent-bucket/data", r"^data_dir=s3://absent-bucket/data: there is no such bucket$"),
        ("s3:///data", r"^data_dir=s3:///data: must be a folder, or an address gs://BUCKET/NAME or s3://"),
    ],
)
def test_a_wrong_place_is_named(place: str, message: str, bucket: str) -> None:
    with pytest.raises(ConfigError, match=message):
        prepare(DIGITS, data_root(place))

import logging
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from ltr.data.array_cache import cache_path, read_cache, write_cache
from ltr.data.arrays import Arrays, Split, fingerprint
from ltr.data.prepare import data_root, prepare, verify
from ltr.data.registry import DatasetEntry, distributed
from ltr.errors import ConfigError, DataNotFoundError, LtrError

DIGITS = distributed()["digits"]

LOAD = "import sys, ltr.config.schema, ltr.data.dataset; "
LOAD += "ltr.data.dataset.load(ltr.config.schema.Dataset(), sys.argv[1]); "
SAY_TFDS = "print('tensorflow_datasets' in sys.modules, 'tensorflow' in sys.modules)"


def start_loading(root: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", LOAD + SAY_TFDS, str(root)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def examples(arrays: Arrays) -> list[tuple[str, bytes, int]]:
    return sorted(
        (name, image.tobytes(), int(label))
        for name, split in arrays._asdict().items()
        for image, label in zip(*split, strict=True)
    )


def test_what_is_prepared_is_what_was_in_the_files(
    tiny: DatasetEntry, tiny_source: Path, tiny_arrays: Arrays, tmp_path: Path
) -> None:
    prepared = prepare(tiny, tmp_path, tiny_source)
    assert examples(prepared) == examples(tiny_arrays)
    assert fingerprint(prepared) == tiny.sha256
    verify(tiny, tmp_path)


def test_tfds_itself_reads_what_is_prepared(tiny: DatasetEntry, tiny_source: Path, tmp_path: Path) -> None:
    import tensorflow_datasets as tfds

    prepared = prepare(tiny, tmp_path, tiny_source)
    source = tfds.data_source("mnist", data_dir=tmp_path)
    for name, split in prepared._asdict().items():
        np.testing.assert_array_equal([example["image"] for example in source[name]], split.images)
        np.testing.assert_array_equal([example["label"] for example in source[name]], split.labels)


def test_a_second_time_reads_the_cache_and_no_original(
    tiny: DatasetEntry, tiny_source: Path, tmp_path: Path
) -> None:
    first = prepare(tiny, tmp_path, tiny_source)
    shutil.rmtree(tiny_source)
    assert fingerprint(prepare(tiny, tmp_path)) == fingerprint(first)


def test_nothing_is_prepared_from_a_wrong_file(tiny: DatasetEntry, tiny_source: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (tiny_source / "train-labels-idx1-ubyte.gz").write_bytes(b"wrong")
    with pytest.raises(LtrError, match="train-labels"):
        prepare(tiny, root, tiny_source)
    assert [path.name for path in root.iterdir()] == [".mnist.lock"]


def test_messages_of_tfds_are_no_data(
    tiny: DatasetEntry, tiny_source: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    prepare(tiny, tmp_path, tiny_source)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("position", [0, 40, -1])
def test_a_damaged_cache_is_rebuilt_with_a_warning(
    digits_root: Path, position: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = cache_path(DIGITS, digits_root)
    good = path.read_bytes()
    damaged = bytearray(good)
    damaged[position] ^= 1
    path.write_bytes(damaged)
    assert fingerprint(prepare(DIGITS, digits_root)) == DIGITS.sha256
    assert path.read_bytes() == good
    assert caplog.record_tuples == [
        ("ltr.data.prepare", logging.WARNING, f"{path} is damaged: rebuilding it")
    ]


def test_a_missing_cache_is_built_from_the_prepared_data(digits_root: Path) -> None:
    cache_path(DIGITS, digits_root).unlink()
    prepare(DIGITS, digits_root)
    assert read_cache(DIGITS, digits_root) is not None


def damage_records(root: Path) -> None:
    path = next(DIGITS.folder(root).glob("*train*"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate_records(root: Path) -> None:
    path = next(DIGITS.folder(root).glob("*test*"))
    path.write_bytes(path.read_bytes()[:1000])


def remove_records(root: Path) -> None:
    next(DIGITS.folder(root).glob("*test*")).unlink()


def swap_records(root: Path) -> None:
    train, test = (next(DIGITS.folder(root).glob(f"*{name}*")) for name in ("train", "test"))
    shutil.copy(train, test)


def empty_folder(root: Path) -> None:
    shutil.rmtree(DIGITS.folder(root))
    DIGITS.folder(root).mkdir()


DAMAGES = [damage_records, truncate_records, remove_records, swap_records, empty_folder]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_prepared_data_is_never_cached(digits_root: Path, damage) -> None:
    cache_path(DIGITS, digits_root).unlink()
    damage(digits_root)
    with pytest.raises(LtrError) as caught:
        prepare(DIGITS, digits_root)
    folder = DIGITS.folder(digits_root)
    assert str(caught.value).startswith(f"digits in {folder} is damaged")
    assert str(caught.value).endswith("remove that folder and type: ltr data prepare digits")
    assert "\n" not in str(caught.value)
    assert not cache_path(DIGITS, digits_root).exists()


@pytest.mark.parametrize("damage", DAMAGES)
def test_verify_notices_damaged_data_beside_a_good_cache(digits_root: Path, damage) -> None:
    damage(digits_root)
    with pytest.raises(LtrError, match="is damaged") as caught:
        verify(DIGITS, digits_root)
    assert caught.value.exit_code == 1


def test_verify_notices_a_damaged_cache(digits_root: Path) -> None:
    path = cache_path(DIGITS, digits_root)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LtrError, match=r"ltr_arrays\.bin is damaged; .*type: ltr data prepare digits"):
        verify(DIGITS, digits_root)


def test_verify_notices_a_sound_cache_of_other_data(digits_root: Path) -> None:
    train, test = prepare(DIGITS, digits_root)
    swapped = Split(train.images[::-1], train.labels[::-1])
    write_cache(DIGITS, digits_root, Arrays(swapped, test))
    with pytest.raises(LtrError, match=r"ltr_arrays\.bin is damaged"):
        verify(DIGITS, digits_root)


def test_verify_needs_no_cache(digits_root: Path) -> None:
    cache_path(DIGITS, digits_root).unlink()
    verify(DIGITS, digits_root)


def test_verify_says_what_to_type_for_absent_data(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="type: ltr data prepare digits"):
        verify(DIGITS, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    root = tmp_path / "file" / "data"
    with pytest.raises(ConfigError, match=f"data_dir={root}: cannot be written"):
        prepare(DIGITS, root)


def test_the_data_folder_is_where_tfds_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_root("~/mine") == Path.home() / "mine"
    assert data_root(None) == tmp_path / "default"
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert data_root(None) == Path.home() / "tensorflow_datasets"


@pytest.mark.slow
def test_two_processes_at_once_prepare_it_once(tmp_path: Path) -> None:
    processes = [start_loading(tmp_path) for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert sum(err.count(", once\n") for _, err in outputs) == 1
    verify(DIGITS, tmp_path)


def test_the_second_process_says_what_it_waits_for(digits_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with FileLock(root / ".digits.lock"):
        process = start_loading(root)
        assert process.stderr is not None
        message = process.stderr.readline()
        assert message == f"waiting for another process that is preparing digits in {root}\n"
        time.sleep(0.2)
        assert process.poll() is None
        shutil.copytree(digits_root / "digits", root / "digits")
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "False False\n")


def test_loading_what_is_cached_imports_no_tfds(shared_root: Path) -> None:
    process = start_loading(shared_root)
    assert process.communicate(timeout=60) == ("False False\n", "")


@pytest.mark.slow
def test_preparing_imports_no_tensorflow(tmp_path: Path) -> None:
    out, err = start_loading(tmp_path).communicate(timeout=60)
    assert out == "True False\n", err

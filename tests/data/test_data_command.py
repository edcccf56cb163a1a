import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from ltr.commands import data
from ltr.data.array_cache import cache_path
from ltr.data.registry import distributed
from ltr.errors import ConfigError, DataNotFoundError, LtrError

DISTRIBUTED = distributed()
DIGITS = distributed()["digits"]


def ltr_data(*words: object) -> int:
    parser = argparse.ArgumentParser("ltr data")
    data.arguments(parser)
    return data.execute(parser.parse_args([str(word) for word in words]))


def test_importing_it_imports_nothing_heavy() -> None:
    program = (
        "import sys, ltr.commands.data; print(sorted({'numpy', 'pydantic', 'filelock'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@pytest.mark.parametrize("action", ["list", "prepare", "verify"])
def test_every_action_has_help_and_an_example(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ltr_data(action, "--help")
    assert caught.value.code == 0
    assert f"example:\n  ltr data {action}" in capsys.readouterr().out


def test_an_action_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        ltr_data()
    assert caught.value.code == 2
    assert "ACTION" in capsys.readouterr().err


def test_list_is_a_table(shared_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ltr_data("list", "--data-dir", shared_root) == 0
    header, digits, *others, _, folder = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["name", "train"]
    assert digits.split()[:5] == ["digits", "1437", "360", "8x8x1", "yes"]
    assert folder == f"prepared data is in {shared_root}"
    assert all(len(line) <= 80 for line in (header, digits, *others))
    assert [line.split()[0] for line in others] == list(DISTRIBUTED)[1:]


def test_list_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ltr_data("list", "--json", "--data-dir", tmp_path) == 0
    digits = json.loads(capsys.readouterr().out)[0]
    assert digits == {
        "name": "digits",
        "description": DIGITS.description,
        "train_examples": 1437,
        "test_examples": 360,
        "shape": [8, 8, 1],
        "classes": 10,
        "folder": None,
    }


def test_list_needs_no_tfds(tmp_path: Path) -> None:
    program = (
        "import argparse, sys; from ltr.commands import data; p = argparse.ArgumentParser();"
        "data.arguments(p); data.execute(p.parse_args(['list']));"
        "assert not {'tensorflow_datasets', 'sklearn', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_prepare_then_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ltr_data("prepare", "digits", "--data-dir", tmp_path) == 0
    prepared = capsys.readouterr()
    assert prepared.out == ""
    assert prepared.err.endswith(f"digits is ready in {DIGITS.folder(tmp_path)}\n")
    assert ltr_data("verify", "digits", "--data-dir", tmp_path) == 0
    assert capsys.readouterr().out == (
        f"digits: all 1797 examples in {DIGITS.folder(tmp_path)} match their checksums\n"
    )


def test_prepare_from_a_folder_without_the_files(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match=r"train-images-idx3-ubyte\.gz: no such file") as caught:
        ltr_data("prepare", "mnist", "--from", tmp_path)
    assert caught.value.exit_code == 3


def test_prepare_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise requests.ConnectionError

    monkeypatch.setattr(requests, "head", refuse)
    with pytest.raises(DataNotFoundError, match="type: ltr data prepare fashion_mnist --from DIR"):
        ltr_data("prepare", "fashion_mnist")


@pytest.mark.parametrize("action", ["prepare", "verify"])
def test_an_unknown_name(action: str) -> None:
    with pytest.raises(ConfigError, match="did you mean digits") as caught:
        ltr_data(action, "digit")
    assert caught.value.exit_code == 2


def test_verify_as_json(shared_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ltr_data("verify", "digits", "--json", "--data-dir", shared_root) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "digits", "good": True, "problem": None}


def test_verify_of_absent_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataNotFoundError) as caught:
        ltr_data("verify", "mnist", "--json", "--data-dir", tmp_path)
    assert caught.value.exit_code == 3
    report = json.loads(capsys.readouterr().out)
    assert report == {"name": "mnist", "good": False, "problem": str(caught.value)}


def test_verify_of_damaged_data(digits_root: Path) -> None:
    cache_path(DIGITS, digits_root).write_bytes(b"")
    with pytest.raises(LtrError) as caught:
        ltr_data("verify", "digits", "--data-dir", digits_root)
    assert caught.value.exit_code == 1


def test_damaged_data_is_prepared_anew_once_it_is_removed(digits_root: Path) -> None:
    shutil.rmtree(DIGITS.folder(digits_root))
    assert ltr_data("prepare", "digits", "--data-dir", digits_root) == 0
    assert ltr_data("verify", "digits", "--data-dir", digits_root) == 0

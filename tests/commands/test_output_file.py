"""Files of others are not overwritten, and a run that somebody else made says not where to write."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ltr.cli import main
from ltr.data import dataset
from ltr.store import sealed_text

Captured = pytest.CaptureFixture[str]

COMMANDS = {"report": ["report", "last"], "export": ["export", "last", "--round", "1"]}


@pytest.fixture
def folder(finished: Any, root: Path) -> Path:
    """A copy of the quick run."""
    shutil.copytree(finished.root, root)
    return next(root.iterdir())


@pytest.mark.usefixtures("pages_without_figures")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_of_others_is_overwritten_by_force_alone(
    command: str, folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    wanted = tmp_path / "thesis.txt"
    wanted.write_text("mine")
    words = [*COMMANDS[command], "--output-root", str(folder.parent), "--output", str(wanted)]
    assert main(words) == 2
    assert f"--output={wanted}: exists and is not of ltr; choose another name, or" in capsys.readouterr().err
    assert wanted.read_text() == "mine"
    assert main([*words, "--force"]) == 0
    assert main(words) == 0, "its own file"


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (COMMANDS["report"], "--output"),
        (COMMANDS["export"], "--output"),
        (["data", "import", "images"], "--output"),
        (["bench"], "--figure"),
    ],
)
def test_a_file_in_a_bucket_is_refused(words: list[str], option: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, option, "s3://bucket/file"])
    assert ended.value.code == 2
    said = f"argument {option}: s3://bucket/file: must be a path of this machine, and no address; see ltr "
    assert said in capsys.readouterr().err


def test_a_card_of_others_is_not_overwritten_either(folder: Path, tmp_path: Path, capsys: Captured) -> None:
    (notes := tmp_path / "ticket.safetensors.md").write_text("notes")
    words = [*COMMANDS["export"], "--output-root", str(folder.parent)]
    assert main([*words, "--output", str(tmp_path / "ticket.safetensors")]) == 2
    assert f"--output={notes}: exists" in capsys.readouterr().err
    assert not (tmp_path / "ticket.safetensors").exists()


@pytest.mark.parametrize(("command", "link"), [("report", "report.html"), ("export", "export")])
def test_a_link_out_of_the_folder_is_not_followed(
    command: str, link: str, folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    (outside := tmp_path / "outside").mkdir()
    (folder / link).symlink_to(outside / "page.html" if link == "report.html" else outside)
    assert main([*COMMANDS[command], "--output-root", str(folder.parent)]) == 2
    assert f"a link leads out of {folder}; name the file by --output" in capsys.readouterr().err
    assert not [*outside.iterdir()]


def test_the_data_folder_of_a_run_is_not_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    config = sealed_text.from_yaml((folder / "config.yaml").read_bytes())
    (folder / "config.yaml").write_bytes(
        sealed_text.to_yaml({**config, "data_dir": str(tmp_path / "theirs")})
    )
    used: list[Any] = []
    load = dataset.load
    monkeypatch.setattr(dataset, "load", lambda config, data_dir: used.append(data_dir) or load(config, None))
    words = [*COMMANDS["export"], "--output-root", str(folder.parent)]
    assert main(words) == 0
    assert f"the run's data_dir={tmp_path / 'theirs'} is not used" in capsys.readouterr().err
    assert main([*words, "--data-dir", str(tmp_path / "mine")]) == 0
    assert "is not used" not in capsys.readouterr().err
    assert used == [None, str(tmp_path / "mine")]
    assert not (tmp_path / "theirs").exists()

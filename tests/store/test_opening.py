"""A run folder is open in one process, which logs to it, and is not left behind by a run that never began."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from ltr.config.parse import parse
from ltr.config.schema import Experiment
from ltr.errors import ConfigError, LtrError
from ltr.store.folder import RunFolder
from ltr.store.opening import open_run
from tests.store.conftest import DEVICES, LANES, finish


def fail(experiment: Experiment, why: str) -> None:
    """A run that fails when its lanes are finished."""
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        finish(folder)
        raise LtrError(why)


def test_only_one_may_write_a_run(experiment: Experiment, path: Path) -> None:
    with (
        open_run(experiment),
        pytest.raises(LtrError, match="is being written by another process") as caught,
        open_run(experiment),
    ):
        pass
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 1


def test_the_lock_holds_against_another_process(experiment: Experiment, path: Path) -> None:
    path.mkdir(parents=True)
    lock = str(path / ".lock")
    hold = f"from filelock import FileLock; lock = FileLock({lock!r}); lock.acquire(); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"\n"
        with pytest.raises(LtrError, match="another process"), open_run(experiment):
            pass
        other.communicate(b"\n")
    with open_run(experiment):
        pass


def test_a_run_that_failed_can_be_opened_again(experiment: Experiment) -> None:
    with pytest.raises(LtrError, match="broken") as caught:
        fail(experiment, "broken")
    assert caught.value.__traceback__ is not None  # which may keep the lock alive
    with open_run(experiment):
        pass


def test_a_run_that_never_began_leaves_nothing_behind(experiment: Experiment, path: Path) -> None:
    with pytest.raises(LtrError, match="no data"), open_run(experiment):
        raise LtrError("no data")
    assert not path.exists()


def test_a_run_that_failed_later_leaves_what_it_has(experiment: Experiment, path: Path) -> None:
    with pytest.raises(LtrError, match="diverged"):
        fail(experiment, "diverged")
    assert RunFolder(path).finished == set(LANES)


def test_an_output_root_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    root = tmp_path / "file" / "runs"
    with pytest.raises(ConfigError) as caught, open_run(parse({"output_root": str(root)})):
        pass
    assert str(caught.value) == f"output_root={root}: cannot be written (Not a directory)"


@pytest.mark.parametrize("name", ["log.txt", "run.json", "figures", "figures/accuracy.png"])
def test_a_link_out_of_the_folder_is_not_followed(
    name: str, experiment: Experiment, path: Path, tmp_path: Path
) -> None:
    (path / name).parent.mkdir(parents=True)
    (path / name).symlink_to(wanted := tmp_path / "mine")
    with pytest.raises(ConfigError) as caught, open_run(experiment):
        logging.getLogger("ltr.anything").warning("hear, hear")
    assert str(caught.value) == (f"{path / name}: leads out of {path}; replace the link by what it leads to")
    assert not wanted.exists()


def test_checkpoints_may_be_on_another_disk(experiment: Experiment, path: Path, tmp_path: Path) -> None:
    (disk := tmp_path / "disk").mkdir()
    path.mkdir(parents=True)
    (path / "checkpoints").symlink_to(disk)
    with open_run(experiment) as folder:
        finish(folder)
    assert (disk / "initial").is_dir()
    assert RunFolder(path).finished == set(LANES)


def test_what_ltr_logs_is_in_log_txt(experiment: Experiment, path: Path) -> None:
    with open_run(experiment):
        logging.getLogger("ltr.anything").warning("hear, hear")
    logging.getLogger("ltr.anything").warning("afterwards")
    (line,) = (path / "log.txt").read_text().splitlines()
    assert line.endswith("WARNING hear, hear")

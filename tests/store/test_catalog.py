import json
import os
from pathlib import Path

import pytest
from filelock import FileLock

from ltr.errors import ConfigError, LtrError
from ltr.store.catalog import all_runs, find
from ltr.store.lock import FILES


def make(root: Path, name: str, age: int = 0, text: str | None = None) -> Path:
    """A run folder, written `age` seconds before the others."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"status": "finished"}) if text is None else text)
    os.utime(folder / "run.json", (1e9 - age, 1e9 - age))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make(tmp_path, "digits-lenet-abc1111111", age=20)
    make(tmp_path, "digits-lenet-abd2222222", age=10)
    make(tmp_path, "fashion_mnist-conv_2-0e00000000", age=30)
    (tmp_path / "not-a-run").mkdir()
    return tmp_path


def test_runs_come_most_recently_written_first(root: Path) -> None:
    assert [run.id for run in all_runs(root)] == ["abd2222222", "abc1111111", "0e00000000"]


def test_there_are_no_runs_where_there_is_no_folder(tmp_path: Path) -> None:
    assert all_runs(tmp_path / "nowhere") == []


def test_a_folder_says_dataset_model_and_id(root: Path) -> None:
    run = find(root, "0e")
    assert (run.dataset, run.model, run.id) == ("fashion_mnist", "conv_2", "0e00000000")


@pytest.mark.parametrize("name", ["digits-lenet-abc1111111", "abc1111111", "abc"])
def test_a_run_is_found_by_folder_name_id_and_prefix(root: Path, name: str) -> None:
    assert find(root, name).folder == root / "digits-lenet-abc1111111"


def test_a_run_is_found_by_path_wherever_it_is(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    assert find(elsewhere, str(root / "digits-lenet-abc1111111")).id == "abc1111111"


def test_last_is_the_run_written_last(root: Path) -> None:
    assert find(root, "last").id == "abd2222222"


@pytest.mark.parametrize("name", ["fashion", "fashion_mnist-conv_2-0", "0e"])
def test_a_run_is_found_by_the_beginning_of_its_folder_s_name(root: Path, name: str) -> None:
    assert find(root, name).id == "0e00000000"


def test_the_beginning_of_an_id_goes_before_that_of_a_name(root: Path) -> None:
    make(root, "abc-lenet-1234567890")
    assert find(root, "abc").id == "abc1111111"
    assert find(root, "abc-").id == "1234567890"


@pytest.mark.parametrize("name", ["xyz", "not-a-run", "lenet"])
def test_an_unknown_run_is_one_clear_line(root: Path, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find(root, name)
    assert str(caught.value) == f"{name}: no run of that name in {root}; ltr ls lists them"


def test_last_of_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="last: no run"):
        find(tmp_path, "last")


def test_an_ambiguous_prefix_lists_the_candidates(root: Path) -> None:
    for beginning in ("ab", "digits"):
        with pytest.raises(ConfigError, match=r"digits-lenet-abc1111111, digits-lenet-abd2222222$"):
            find(root, beginning)


def test_a_folder_of_runs_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"^last: no such run; there is no folder {tmp_path}/nowhere$"):
        find(tmp_path / "nowhere", "last")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", "\udcff", '{"status": 3}', '{"status": "finished", "summary": 5}'),
        *('{"status": "failed", "settings": [1]}', '{"status": "failed", "sessions": ["ltr run"]}'),
    ],
)
def test_a_broken_run_is_listed_as_damaged(tmp_path: Path, text: str) -> None:
    folder = make(tmp_path, "digits-lenet-abc", text="")
    (folder / "run.json").write_bytes(text.encode(errors="surrogateescape"))
    assert all_runs(tmp_path)[0].info == {"status": "damaged"}


def test_a_run_that_lost_its_description_is_listed_and_found(root: Path) -> None:
    folder = root / "digits-lenet-ffff"
    folder.mkdir()
    (folder / "config.yaml").write_text("rounds: 3\n")
    assert [run.status for run in all_runs(root)].count("damaged") == 1
    assert find(root, "last").folder == folder
    for name in ("ffff", str(folder)):
        with pytest.raises(LtrError, match=r"run\.json: missing; lost: the commands"):
            find(root, name).require_readable()


def test_a_run_that_says_it_runs_has_crashed_if_nobody_holds_its_lock(root: Path) -> None:
    folder = make(root, "digits-lenet-ffff", text='{"status": "running"}')
    assert find(root, "ffff").status == "crashed"
    with FileLock(folder / FILES["flock"]):
        assert find(root, "ffff").status == "running"
    (folder / FILES["flock"]).touch()  # as a process leaves it that was killed
    assert find(root, "ffff").status == "crashed"


def test_looking_at_a_run_that_did_not_lock_leaves_no_lock(root: Path) -> None:
    folder = make(root, "digits-lenet-ffff", text='{"status": "running"}')
    assert find(root, "ffff").status == "crashed"
    assert not (folder / FILES["flock"]).exists()


@pytest.mark.parametrize(
    ("status", "command"),
    [("stopped", "b"), ("failed", "b"), ("running", "b"), ("finished", None)],
)
def test_an_unfinished_run_resume_command_the_command_of_its_last_session(
    status: str, command: str | None, root: Path
) -> None:
    info = {"status": status, "sessions": [{"command": "a"}, {"command": "b"}]}
    make(root, "digits-lenet-ffff", text=json.dumps(info))
    assert find(root, "ffff").resume_command == command


def test_a_run_of_an_earlier_release_resume_command_nothing_known(root: Path) -> None:
    make(root, "digits-lenet-ffff", text='{"status": "failed", "sessions": [{"began": "then"}]}')
    assert find(root, "ffff").resume_command is None


def test_settings_are_those_of_run_json_or_else_of_the_configuration(root: Path) -> None:
    folder = make(root, "digits-lenet-ffff", text='{"status": "finished"}')
    (folder / "config.yaml").write_text("seed: 3\nrounds: 15\ndevices: 1\n")
    assert find(root, "ffff").settings == {"seed": 3}
    (folder / "run.json").write_text('{"status": "finished", "settings": {"seed": 4}}')
    assert find(root, "ffff").settings == {"seed": 4}


def test_the_configuration_is_read_when_asked_for(root: Path) -> None:
    run = find(root, "abc")
    (run.folder / "config.yaml").write_text("rounds: 3\n")
    assert run.config == {"rounds": 3}


@pytest.mark.parametrize(
    ("text", "problem"), [(None, "missing"), ("rounds: [", "damaged"), ("just words", "damaged")]
)
def test_a_configuration_that_cannot_be_read_is_one_clear_line(
    root: Path, text: str | None, problem: str
) -> None:
    run = find(root, "abc")
    if text is not None:
        (run.folder / "config.yaml").write_text(text)
    with pytest.raises(LtrError, match=rf"config\.yaml: {problem}; lost: the configuration"):
        _ = run.config

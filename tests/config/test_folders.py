"""Folders of YAML files of one's own: they join the groups of every command that takes knobs."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.utils import JobReturn

from ltr.cli import main
from ltr.commands.completion import candidates
from ltr.config import folders, groups, origins
from ltr.config.groups import ARM, choices
from ltr.config.overrides import sources
from ltr.config.schema import Experiment
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words
from ltr.experiment.signals import Stop

Captured = pytest.CaptureFixture[str]
LAUNCH = BasicLauncher.launch
HEAD = "# @package _global_\n"
FILES = {
    "experiment/mine": f"{HEAD}# Mine.\ndefaults:\n  - base\n  - _self_\narms: [ticket, halved_noise]\n",
    "experiment/base": f"{HEAD}# What mine starts from.\ndefaults:\n  - override /optimizer: slow\n"
    "rounds: 1\nsteps: 20\neval_every: 10\nreplicates: 1\nsparse: never\n",
    "arm/halved_noise": "# Half of the noise.\nnoise: 0.5\n",
    "optimizer/slow": "# Slow.\nname: sgd\nlearning_rate: 0.01\n",
}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder outside the clone, with a space and a comma in its name."""
    return write(tmp_path / "my configs, 2026", FILES)


def test_its_files_are_choices_and_arms(mine: Path) -> None:
    with folders.joined([mine]):
        assert choices("experiment")["mine"] == "Mine."
        assert choices(ARM)["halved_noise"] == "Half of the noise."
        assert set(choices("experiment")) > {"base", "mnist_lenet"}
        experiment = from_words(["experiment=mine", "rounds=2"])
    assert "mine" not in choices("experiment")
    assert (experiment.rounds, experiment.optimizer.name, experiment.optimizer.learning_rate) == (
        2,
        "sgd",
        0.01,
    )
    assert experiment.arm["halved_noise"].noise == 0.5


def test_a_run_takes_them_by_a_relative_path_and_its_command_finds_them_again(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def conduct(experiment: Experiment, words: list[str], stop: Stop, member: None) -> None:
        assert experiment.arms == ("ticket", "halved_noise")
        commands.append(["run", *origins.request(experiment, words).words])

    monkeypatch.setattr("ltr.experiment.runner.conduct", conduct)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["run", "--config-dir", f"../{mine.name}", "experiment=mine"]) == 0
    assert folders.VARIABLE not in os.environ
    monkeypatch.chdir(tmp_path)
    assert main(commands[0]) == 0
    assert commands == 2 * [["run", f"--config-dir={mine}", "experiment=mine"]]


def test_a_command_names_only_folders_whose_files_it_uses(mine: Path) -> None:
    with folders.joined([mine]):
        assert folders.options(sources(["rounds=1"], ["ticket"])) == []
        assert folders.options(sources(["rounds=1"], ["ticket", "halved_noise"])) == [f"--config-dir={mine}"]
        assert {
            path.relative_to(mine).stem
            for path in sources(["experiment=mine"], [])
            if path.is_relative_to(mine)
        } == {
            "mine",
            "base",
            "slow",
        }


def test_the_variable_names_several(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = write(tmp_path / "other", {"arm/loud": "# Loud.\nnoise: 9\n"})
    monkeypatch.setenv(folders.VARIABLE, os.pathsep.join([str(mine), str(other), str(other)]))
    assert folders.own() == [mine, other]
    assert from_words(["experiment=mine", "arms=[ticket,loud]"]).arm["loud"].noise == 9


def test_one_of_the_command_joins_those_of_the_variable(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write(tmp_path / "other", {"arm/loud": "# Loud.\nnoise: 9\n"})
    monkeypatch.setenv(folders.VARIABLE, str(other))
    with folders.joined([mine]):
        assert folders.own() == [mine, other]
    assert folders.own() == [other]


def test_help_and_completion_list_them(mine: Path, capsys: Captured) -> None:
    for words in (["--help", "--config-dir", str(mine)], ["--config-dir", str(mine), "--help"]):
        with pytest.raises(SystemExit):
            main(["run", *words])
        said = capsys.readouterr().out
        assert "  experiment=mine\n      Mine.\n" in said
        assert "  halved_noise\n      Half of the noise.\n" in said
    assert [*candidates(["plan", "--config-dir", str(mine), "experiment=mi"])] == ["experiment=mine"]
    assert [*candidates(["plan", "experiment=mi"])] == []


@pytest.mark.parametrize(
    ("files", "words", "message"),
    [
        ({}, [], ": holds none of the config groups, which are arm, dataset, experiment, hydra, model, "),
        ({"notes/a": "x: 1"}, [], ": holds none of the config groups, which are"),
        ({"experiments/a": ""}, [], "/experiments: not a config group; did you mean experiment?"),
        ({"config": "", "arm/a": "noise: 1"}, [], "/config.yaml: not read, as runs begin with ltr's own"),
        ({"arm/a": "nois: 1"}, ["arms=[ticket,a]"], "/arm/a.yaml:1: arm.a.nois: unknown knob; did you mean"),
        (
            {"experiment/a": "rounds: 1"},
            ["experiment=a"],
            "/experiment/a.yaml:1: the first line must be '# @",
        ),
        ({"experiment/long": "#"}, ["experiment=lon"], "experiment=lon: unknown choice; did you mean long?"),
        (
            {"model/conv2": "name: conv4"},
            ["model=conv2"],
            f"/model/conv2.yaml: model=conv2 is already defined in {groups.config_dir()}/model/conv2.yaml; "
            "rename this file",
        ),
        (
            {"arm/snip": "noise: 1"},
            ["arms=[ticket,snip]"],
            f"/arm/snip.yaml: arm=snip is already defined in {groups.config_dir()}/arm/snip.yaml",
        ),
    ],
)
def test_what_is_wrong_in_it_is_one_line(
    files: dict[str, str], words: list[str], message: str, tmp_path: Path, capsys: Captured
) -> None:
    (folder := tmp_path / "mine").mkdir()
    assert main(["plan", "--config-dir", str(write(folder, files)), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ltr plan: {folder}{message}" if message[0] in ":/" else f"ltr plan: {message}")


def test_a_name_that_is_taken_stops_no_run_that_does_not_choose_it(tmp_path: Path, capsys: Captured) -> None:
    folder = write(tmp_path, {"arm/snip": "noise: 1\n", "arm/loud": "# Loud.\nnoise: 9\n"})
    with folders.joined([folder]):
        experiment = from_words(["arms=[ticket,loud]"])
    assert experiment.arm["loud"].noise == 9
    assert "snip" not in experiment.arm


def test_ltr_s_own_folder_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(folders.VARIABLE, str(groups.config_dir()))
    assert groups.added_dirs() == []


def test_a_folder_that_is_not_there_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["plan", "--config-dir", "nowhere"])
    assert (
        capsys.readouterr().err
        == "ltr plan: argument --config-dir: nowhere: no such folder; see ltr plan --help\n"
    )
    monkeypatch.setenv(folders.VARIABLE, "nowhere")
    assert main(["plan"]) == 2
    assert capsys.readouterr().err == "ltr plan: LTR_CONFIG_DIR=nowhere: no such folder\n"
    assert main(["ls", "--output-root", str(tmp_path)]) == 0


def test_a_folder_that_the_variable_cannot_hold_is_refused() -> None:
    with (
        pytest.raises(ConfigError, match=f"--config-dir=a{os.pathsep}b: "),
        folders.joined([Path(f"a{os.pathsep}b")]),
    ):
        pass


def test_processes_that_are_started_meanwhile_find_it(mine: Path) -> None:
    code = "from ltr.config.groups import choices; print('mine' in choices('experiment'))"
    with folders.joined([mine]):
        said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said == "True\n"


def test_a_job_whose_process_lacks_the_variable_finds_it(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[str] = []

    def launch(launcher: Any, jobs: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv(folders.VARIABLE)
            return LAUNCH(launcher, jobs, initial_job_idx)

    def conduct(experiment: Experiment, typed: Sequence[str], stop: Stop, *_: object) -> None:
        words.extend(origins.request(experiment, typed).words)

    monkeypatch.setattr(BasicLauncher, "launch", launch)
    monkeypatch.setattr("ltr.experiment.runner.conduct", conduct)
    monkeypatch.chdir(mine)
    assert (
        main(["run", "-m", "--config-dir", str(mine), "experiment=mine", "seed=1", "hydra/launcher=basic"])
        == 0
    )
    assert words == [f"--config-dir={mine}", "experiment=mine", "seed=1"]

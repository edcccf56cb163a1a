"""Sweeps: what is expanded and checked before they begin."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ltr.config import folders
from ltr.config.parse import KnobError
from ltr.config.schema import Experiment
from ltr.errors import ConfigError, DataNotFoundError, LtrError
from ltr.experiment.compose import from_words
from ltr.store.identity import folder_name
from ltr.sweeps import plan


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The words of the combinations that are checked; `last` is the run `digits-lenet-aaa`."""
    combinations: list[list[str]] = []

    def validated(words: Sequence[str], is_elsewhere: bool) -> Experiment:
        combinations.append(list(words))
        ticket = dict(word.split("=", 1) for word in words).get("ticket")
        return Experiment(ticket=ticket and ticket.replace("last", "digits-lenet-aaa"))

    monkeypatch.setattr(plan, "_validated", validated)
    return combinations


@pytest.mark.parametrize(
    ("words", "combinations"),
    [
        (["seed=0,1", "rounds=2"], [["seed=0", "rounds=2"], ["seed=1", "rounds=2"]]),
        (["seed=range(0,3)"], [["seed=0"], ["seed=1"], ["seed=2"]]),
        (["arms=[ticket],[ticket,one_shot]"], [["arms=[ticket]"], ["arms=[ticket,one_shot]"]]),
        (["seed=0,1", "seed=5"], [["seed=5"]]),
        (["optimizer=glob(m*)"], [["optimizer=momentum"]]),
        (["seed=0", "hydra/launcher=processes", "hydra.launcher.n_jobs=2"], [["seed=0"]]),
    ],
)
def test_every_combination_is_checked(
    words: list[str], combinations: list[list[str]], asked: list[list[str]]
) -> None:
    found = plan.checked(words)
    assert found.words == words
    assert found.combinations == asked == combinations


def test_a_file_names_values_too(asked: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    swept = "seed: 0,1\n      prune_rate: 0.1,0.2\n      optimizer.momentum: 0.5\n"
    text = f"# @package _global_\nhydra:\n  sweeper:\n    params:\n      {swept}"
    (tmp_path / "experiment" / "mine.yaml").write_text(text)
    with folders.joined([tmp_path]):
        words = plan.checked(["experiment=mine", "prune_rate=0.3"]).words
    assert words == ["experiment=mine", "prune_rate=0.3"]
    others = ["prune_rate=0.3", "optimizer.momentum=0.5", "experiment=mine"]
    assert asked == [[f"seed={seed}", *others] for seed in (0, 1)]


def test_another_sweeper_chooses_for_itself(asked: list[list[str]]) -> None:
    words = ["hydra/sweeper=optuna", "optimizer.learning_rate=interval(0,1)"]
    assert plan.checked(words) == (words, [], [], [], [], Path("outputs"))
    assert asked == []


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("words", [["optimizer.learning_rate=interval(0,1)"], ["seed=[0"]])
def test_what_the_basic_sweeper_cannot_expand_is_one_line(words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        plan.checked(words)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("asked")
def test_last_is_resolved_once_for_all_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    words = plan.checked(["ticket=last@3,last@7,null", "seed=0,1"]).words
    assert words == ["ticket=digits-lenet-aaa@3,digits-lenet-aaa@7,null", "seed=0,1"]
    assert capsys.readouterr().err.splitlines() == [
        "ticket=last@3: outputs/digits-lenet-aaa@3",
        "ticket=last@7: outputs/digits-lenet-aaa@7",
    ]


def test_the_folders_are_those_of_the_combinations(tmp_path: Path) -> None:
    words = ["seed=0,1", f"output_root={tmp_path}", "rounds=0"]
    found = plan.checked(words)
    assert found.output_root == tmp_path
    assert found.folders == [
        tmp_path / folder_name(from_words([f"seed={seed}", *words[1:]])) for seed in (0, 1)
    ]


@pytest.mark.parametrize("error", [DataNotFoundError("gone"), KnobError(["arms"], "arms: unknown arm x")])
def test_the_exit_code_is_that_of_the_first_error(error: LtrError, monkeypatch: pytest.MonkeyPatch) -> None:
    def validated(words: Sequence[str], is_elsewhere: bool) -> None:
        raise error

    monkeypatch.setattr(plan, "_validated", validated)
    with pytest.raises(LtrError, match="2 of 2 combinations cannot be run") as caught:
        plan.checked(["seed=0,1"])
    assert caught.value.exit_code == error.exit_code


def test_devices_are_not_touched_where_jobs_run_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    touched = []
    monkeypatch.setattr("ltr.experiment.placement.place", touched.append)
    plan.checked(["rounds=0", "hydra/launcher=processes"])
    assert touched == []
    plan.checked(["rounds=0"])
    assert len(touched) == 1


def test_a_value_out_of_bounds_is_refused_before_anything_trains(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        ConfigError, match="1 of 2 combinations cannot be run, see above; nothing was trained"
    ):
        plan.checked(["prune_rate=0.2,2"])
    assert "prune_rate=2: must be a number > 0 and < 1 (of prune_rate=2)" in capsys.readouterr().err


def test_a_sweep_of_one_combination_names_no_knob_that_varies(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError):
        plan.checked(["prune_rate=2"])
    assert capsys.readouterr().err == "ltr run: prune_rate=2: must be a number > 0 and < 1\n"


def test_a_sweep_trains_no_run_in_several_processes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError):
        plan.checked(["seed=0,1", "hosts.count=2"])
    assert "hosts.count=2: several processes train a run by ltr run, without -m" in capsys.readouterr().err

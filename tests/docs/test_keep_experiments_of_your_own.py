"""docs/how-to/keep-experiments-of-your-own.md, followed to the letter."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from ltr.cli import main
from ltr.config.schema import Experiment
from ltr.experiment.joint import Trainings

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "keep-experiments-of-your-own.md").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("compile_once", "rough_times")
def test_the_page_asks_for_an_experiment_and_a_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Experiment] = []
    monkeypatch.chdir(tmp_path)

    def ask(experiment: Experiment, *_: Any, **__: Any) -> Trainings:
        asked.append(experiment)
        yield from ()

    monkeypatch.setattr("ltr.experiment.runner.trainings", ask)
    paths = re.findall(r"`(lottery/\w+/\w+\.yaml)`", PAGE)
    for path, text in zip(paths, re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S), strict=True):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    for command in "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)).splitlines():
        program, *words = shlex.split(command.replace("$PWD", str(tmp_path)))
        if program == "export":
            monkeypatch.setenv(*words[0].split("=", 1))
        else:
            assert program == "ltr"
            assert main([*words, "sparse=never"]) == 0
    assert [(one.seed, one.rounds, one.steps.amount) for one in asked] == [
        (seed, 1, 50) for seed in (0, 0, 1, 2)
    ]
    assert {one.arms for one in asked} == {("ticket", "half_noise")}
    assert {(one.optimizer.name, one.arm["half_noise"].noise) for one in asked} == {("momentum", 0.5)}

"""The page on sweeps on a cluster names commands and options that exist."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from hydra.types import RunMode
from omegaconf import DictConfig

from ltr.config.overrides import overrides
from ltr.experiment import compose
from ltr.sweeps import launchers

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "run-a-sweep-on-a-cluster.md").read_text()
SWEEPS = re.findall(r"^ltr run -m (.*)$", PAGE.replace("\\\n", ""), flags=re.MULTILINE)


def launcher_of(words: list[str]) -> DictConfig:
    """Options of the launcher that words choose."""
    with compose.application() as hydra:
        composed = hydra.compose_config("config", words, RunMode.MULTIRUN, with_log_configuration=False)
    options: DictConfig = composed.hydra.launcher
    return options


@pytest.mark.parametrize("line", SWEEPS)
def test_every_sweep_composes(line: str) -> None:
    words = overrides(shlex.split(line), sweep=True)
    assert launchers.chosen(words) in launchers.LAUNCHERS
    assert launcher_of(words)


def test_there_is_a_sweep_for_each_launcher() -> None:
    assert [launchers.chosen(shlex.split(line)) for line in SWEEPS] == ["processes", "slurm", "ray_cluster"]


def test_the_options_of_slurm_and_their_defaults_are_as_described() -> None:
    options = launcher_of(["hydra/launcher=slurm"])
    _, table = PAGE.split("| option of `hydra.launcher`", 1)
    rows = [row.split("|")[1:3] for row in table.partition("\n\n")[0].splitlines()[2:]]
    for names, defaults in rows:
        values = [options[name] for name in re.findall(r"`(\w+)`", names)]
        if re.search(r"\d", defaults):
            assert values == [int(default) for default in defaults.split(",")]
        elif "`" not in defaults:
            assert values == [None] * len(values)
    assert len(rows) == 7
    for text in ("`signal_delay_s` (120)", "`max_num_timeout` (1000)"):
        name, value = re.findall(r"\w+", text)
        assert text in PAGE
        assert options[name] == int(value)


def test_the_array_script_is_bash() -> None:
    (script,) = re.findall(r"```sh\n(#!/bin/bash\n.*?)```", PAGE, flags=re.DOTALL)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)

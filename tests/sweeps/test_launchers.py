"""Launchers: those that are missing, and the configurations that ltr has for them."""

import pytest
from hydra.types import RunMode

from ltr.config import groups
from ltr.errors import ConfigError
from ltr.experiment import compose
from ltr.sweeps import launchers


def test_a_launcher_that_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launchers, "_is_installed", lambda module: False)
    with pytest.raises(
        ConfigError,
        match=r"^hydra/launcher=slurm: hydra-submitit-launcher is not installed; type: .*submitit",
    ):
        launchers.require(["seed=0,1", "hydra/launcher=slurm"])
    launchers.require(["seed=0,1"])


def test_a_module_that_is_missing_is_not_installed() -> None:
    assert not launchers._is_installed("hydra_plugins.no_such_launcher")
    assert not launchers._is_installed("no_such_package.module")
    assert launchers._is_installed("hydra.plugins.launcher")


def test_the_last_launcher_counts() -> None:
    assert launchers.chosen([]) == "basic"
    assert launchers.chosen(["hydra/launcher=slurm", "seed=0", "hydra/launcher=basic"]) == "basic"
    assert not launchers.is_remote(["hydra/launcher=basic"])
    assert launchers.is_remote(["hydra/launcher=ray_cluster"])


def test_processes_share_one_output() -> None:
    assert launchers.share_output(["seed=0,1", "hydra/launcher=processes"])
    for words in ([], ["hydra/launcher=basic"], ["hydra/launcher=slurm"], ["hydra/launcher=ray_cluster"]):
        assert not launchers.share_output(words)


def own() -> list[str]:
    """Names of the launchers with a file in `configs/hydra/launcher/`."""
    return sorted(file.stem for file in (groups.config_dir() / "hydra" / "launcher").glob("*.yaml"))


def test_every_configuration_has_an_extra() -> None:
    assert set(own()) <= set(launchers.LAUNCHERS)
    assert len(own()) == 3


@pytest.mark.parametrize("name", own())
def test_configurations_compose(name: str) -> None:
    if not launchers._is_installed(launchers.LAUNCHERS[name].module) and name != "ray_cluster":
        pytest.skip(f"{launchers.LAUNCHERS[name].package} is not installed")
    with compose.application() as hydra:
        config = hydra.compose_config("config", [f"hydra/launcher={name}"], RunMode.MULTIRUN, False)
    options = config.hydra.launcher
    assert {"processes": "n_jobs", "slurm": "max_num_timeout", "ray_cluster": "remote"}[name] in options

"""Hydra's launchers: they run the jobs of a sweep in this process, in others or on other machines."""

import importlib.util
from collections.abc import Sequence
from typing import NamedTuple

from ltr.core.extras import install_command
from ltr.errors import ConfigError

BASIC = "basic"
"""Launcher of Hydra itself, which runs the jobs one after the other in this process."""


JOBLIB = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"
"""Classes of Hydra's launchers for joblib and Slurm."""


class Launcher(NamedTuple):
    """Launcher of another package.

    Attributes:
        package: name of the distribution.
        module: its module, of Hydra's plug-in or of the library.
        extra: extra of ltr that installs it.
    """

    package: str
    module: str
    extra: str


_JOBLIB = Launcher("hydra-joblib-launcher", "hydra_plugins.hydra_joblib_launcher", "joblib")
_SUBMITIT = Launcher("hydra-submitit-launcher", "hydra_plugins.hydra_submitit_launcher", "submitit")
_RAY = Launcher("ray", "ray", "ray")

LAUNCHERS = {
    "processes": _JOBLIB,
    "joblib": _JOBLIB,
    "slurm": _SUBMITIT,
    "submitit_slurm": _SUBMITIT,
    "submitit_local": _SUBMITIT,
    "ray_cluster": _RAY,
}
"""Launchers by name: those of `configs/hydra/launcher/`, and those of Hydra's plug-ins that they build on."""


def chosen(words: Sequence[str]) -> str:
    """Return the name of the launcher that words choose."""
    names = [word.partition("=")[2] for word in words if word.startswith("hydra/launcher=")]
    return names[-1] if names else BASIC


def is_remote(words: Sequence[str]) -> bool:
    """Return whether jobs run in other processes, or on other machines."""
    return chosen(words) != BASIC


def share_output(words: Sequence[str]) -> bool:
    """Return whether jobs that run side by side print to the standard output of this process."""
    return LAUNCHERS.get(chosen(words)) == _JOBLIB


def require(words: Sequence[str]) -> None:
    """Raise ConfigError if the launcher that words choose is not installed."""
    name = chosen(words)
    launcher = LAUNCHERS.get(name)
    if launcher and not _is_installed(launcher.module):
        raise ConfigError(
            f"hydra/launcher={name}: {launcher.package} is not installed; type: "
            f"{install_command(launcher.extra)}"
        )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the namespace hydra_plugins
        return False

"""From words on the command line to a validated `Experiment`; Hydra and OmegaConf stop here."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ltr import data, transfer
from ltr.config import Arm, Experiment, to_dict
from ltr.errors import ConfigError
from ltr.knobs import knobs, nearest, parse

ARM = "arm"
"""The folder that defines arms. They are all there in every run, which chooses with `arms`."""


def config_dir() -> Path:
    """The folder of YAML files: inside the installed package, or beside it in a clone."""
    package = Path(__file__).parent
    shipped = package / "configs"
    return shipped if shipped.is_dir() else package.parent / "configs"


def register() -> None:
    """Tell Hydra the knobs and their defaults, every arm among them: `ltr`, which config.yaml starts from."""
    arms = {name: to_dict(Arm()) | to_dict(OmegaConf.load(_file(ARM, name))) for name in choices(ARM)}
    ConfigStore.instance().store(name="ltr", node=to_dict(Experiment()) | {ARM: arms})


def group_names() -> list[str]:
    """The config groups of which a run chooses one."""
    folders = (folder.name for folder in config_dir().iterdir() if folder.is_dir())
    return sorted(set(folders) - {"hydra", ARM})


def choices(group: str) -> dict[str, str]:
    """The choices of a config group, each with the line that its YAML file opens with."""
    return {file.stem: _opening(file) for file in sorted((config_dir() / group).glob("*.yaml"))}


def _file(group: str, choice: str) -> Path:
    return config_dir() / group / f"{choice}.yaml"


def _opening(file: Path) -> str:
    comments = (line[1:].strip() for line in file.read_text().splitlines() if line.startswith("#"))
    return next(line for line in comments if not line.startswith("@package"))


def check_words(words: Sequence[str]) -> None:
    """ConfigError, with the nearest there is, for a `key=value` of an unknown knob or choice."""
    known = {knob.name for knob in knobs()}
    groups = group_names()
    for word in words:
        key, _, value = word.lstrip("+~").partition("=")
        key = key.partition("@")[0]
        if "=" not in word and not word.startswith("~"):
            raise ConfigError(f"{word}: not a knob; type key=value, as in prune_rate=0.2")
        if key.partition(".")[0] == "hydra" or key.startswith("hydra/"):
            continue
        if key == ARM:
            raise ConfigError(f"{word}: arms are chosen by name, as in arms=[ticket,random_mask]")
        if key in groups:
            for choice in value.strip("[]").split(","):
                if re.fullmatch(r"\w+", choice) and choice not in (*choices(key), "null"):
                    raise ConfigError(f"{key}={choice}: unknown choice; {nearest(choice, choices(key))}")
        elif not re.fullmatch(r"arm\.\w+", key) and re.sub(r"^arm\.\w+\.", "arm.NAME.", key) not in known:
            raise ConfigError(f"{key}: unknown knob; {nearest(key, known.union(groups))}")


def experiment_of(composed: DictConfig) -> Experiment:
    """The validated experiment of what Hydra composed, as it will run; ConfigError otherwise."""
    try:
        values = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(error)) from None
    experiment = parse(values)  # type: ignore[arg-type]
    pinned = dataclasses.replace(experiment, dataset=data.pinned(experiment.dataset))
    return transfer.resolved(pinned)


def from_words(words: Sequence[str]) -> Experiment:
    """The experiment that `ltr run` with these words would run; ConfigError otherwise."""
    check_words(words)
    register()
    try:
        with initialize_config_dir(str(config_dir().absolute()), version_base="1.3"):
            return experiment_of(compose("config", list(words)))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(one_line(error)) from None


def one_line(error: Exception) -> str:
    """What Hydra says, on one line."""
    return " ".join(str(error).split())

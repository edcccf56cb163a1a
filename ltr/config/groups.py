"""Config groups: folders of YAML files, one file per choice. The files are not parsed here."""

from collections.abc import Iterator
from pathlib import Path

from ltr import plugins
from ltr.config.folders import own
from ltr.errors import ConfigError
from ltr.registry.suggestions import did_you_mean, near

ARM = "arm"
"""Folder that defines arms. Every run knows all of them, and `arms` chooses."""

HYDRA = "hydra"
"""Folder of settings for Hydra itself, such as launchers."""


def config_dir() -> Path:
    """Return the folder of ltr's YAML files: inside the installed package, or beside it in a clone."""
    package = Path(__file__).parents[1]
    shipped = package / "configs"
    return shipped if shipped.is_dir() else package.parent / "configs"


def added_dirs() -> list[Path]:
    """Return the folders of plug-ins and of the user, which are searched after `config_dir`.

    Raises:
        ConfigError: a folder of the user does not exist, or holds no group.
    """
    of_plugins = [plugin.configs for plugin in plugins.installed() if plugin.configs is not None]
    of_user = [folder for folder in own() if folder != config_dir().resolve()]
    for folder in of_user:
        _check_folder(folder)
    return [*of_plugins, *of_user]


def group_names() -> list[str]:
    """Return the config groups from which a run makes a choice."""
    return sorted(_folder_names(config_dir()) - {HYDRA, ARM})


def is_built_in(group: str, choice: str) -> bool:
    """Return whether a choice is one of ltr's own."""
    return (config_dir() / group / f"{choice}.yaml").is_file()


def file_of(group: str, choice: str) -> Path:
    """Return the YAML file of a choice; ConfigError if several folders have one."""
    files = [file for file in _candidates(group, f"{choice}.yaml") if file.is_file()]
    if len(files) > 1:
        raise ConfigError(f"{files[1]}: {group}={choice} is already defined in {files[0]}; rename this file")
    return files[0] if files else config_dir() / group / f"{choice}.yaml"


def misnamed(group: str, choice: str) -> Path | None:
    """Return the file of a choice that is ignored because its name ends in .yml; None if there is none."""
    return next((file for file in _candidates(group, f"{choice}.yml") if file.is_file()), None)


def choices(group: str) -> dict[str, str]:
    """Return the choices of a config group, each with the first comment of its YAML file or an empty text."""
    files = _files(group)
    return {name: _first_comment(files[name]) for name in sorted(files)}


def choice_names(group: str) -> list[str]:
    """Return the names of the choices of a config group, without opening their files."""
    return sorted(_files(group))


def _files(group: str) -> dict[str, Path]:
    """Return the first file of each choice of a group."""
    files = [file for folder in _candidates(group) for file in folder.glob("[!.]*.yaml") if file.is_file()]
    return {file.stem: file for file in reversed(files)}


def _candidates(*parts: str) -> Iterator[Path]:
    """Yield a relative path below the folder of ltr and below each added folder."""
    yield from (folder.joinpath(*parts) for folder in (config_dir(), *added_dirs()))


def _folder_names(folder: Path) -> set[str]:
    return {inner.name for inner in folder.iterdir() if inner.is_dir()}


def _check_folder(folder: Path) -> None:
    """Raise ConfigError if the files of a folder would not be read."""
    groups = sorted(_folder_names(config_dir()))
    if (base := folder / "config.yaml").exists():
        raise ConfigError(f"{base}: not read, as runs begin with ltr's own; set its knobs in an experiment")
    for other in sorted(folder.glob("*/*.yaml")):
        group = other.parent.name
        if group not in groups and (meant := did_you_mean(near(group, groups))):
            raise ConfigError(f"{other.parent}: not a config group; {meant}")
    if _folder_names(folder).isdisjoint(groups):
        raise ConfigError(f"{folder}: holds none of the config groups, which are {', '.join(groups)}")


def _first_comment(file: Path) -> str:
    try:
        lines = file.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    comments = (line[1:].strip() for line in lines if line.startswith("#"))
    return next((line for line in comments if not line.startswith("@package")), "")

"""The config groups: folders of YAML files, each file a choice. Opens the files as text alone."""

from collections.abc import Iterator
from pathlib import Path

from ltr import plugins
from ltr.config.folders import own
from ltr.errors import ConfigError
from ltr.suggestions import did_you_mean, near

ARM = "arm"
"""The folder that defines arms. They are all there in every run, which chooses with `arms`."""

HYDRA = "hydra"
"""The folder of Hydra's own settings, such as launchers."""


def config_dir() -> Path:
    """The folder of ltr's YAML files: inside the installed package, or beside it in a clone."""
    package = Path(__file__).parents[1]
    shipped = package / "configs"
    return shipped if shipped.is_dir() else package.parent / "configs"


def added_dirs() -> list[Path]:
    """The folders of plug-ins and of one's own, which join `config_dir`.

    ConfigError if one of one's own is not there, or holds no group.
    """
    of_plugins = [one.configs for one in plugins.installed() if one.configs is not None]
    of_ones_own = [folder for folder in own() if folder != config_dir().resolve()]
    for folder in of_ones_own:
        _check_folder(folder)
    return [*of_plugins, *of_ones_own]


def group_names() -> list[str]:
    """The config groups of which a run chooses one."""
    return sorted(_folder_names(config_dir()) - {HYDRA, ARM})


def is_built_in(group: str, choice: str) -> bool:
    """Return whether a choice is one of ltr's own."""
    return (config_dir() / group / f"{choice}.yaml").is_file()


def file_of(group: str, choice: str) -> Path:
    """The YAML file of a choice; ConfigError if several folders have one."""
    found = [file for file in _places(group, f"{choice}.yaml") if file.is_file()]
    if len(found) > 1:
        raise ConfigError(f"{found[1]}: {group}={choice} is there already, in {found[0]}; rename this file")
    return found[0] if found else config_dir() / group / f"{choice}.yaml"


def misnamed(group: str, choice: str) -> Path | None:
    """A file of a choice that is not read, because its name ends in .yml."""
    return next((file for file in _places(group, f"{choice}.yml") if file.is_file()), None)


def choices(group: str) -> dict[str, str]:
    """The choices of a config group, each with the first comment of its YAML file, if it has one."""
    files = _files(group)
    return {name: _first_comment(files[name]) for name in sorted(files)}


def choice_names(group: str) -> list[str]:
    """Return the names of the choices of a config group; their files are not opened."""
    return sorted(_files(group))


def _files(group: str) -> dict[str, Path]:
    """Return the first file of each choice of a group."""
    files = [file for folder in _places(group) for file in folder.glob("[!.]*.yaml") if file.is_file()]
    return {file.stem: file for file in reversed(files)}


def _places(*parts: str) -> Iterator[Path]:
    """Where a path may lie: in the folder of ltr, and in those that join it."""
    yield from (folder.joinpath(*parts) for folder in (config_dir(), *added_dirs()))


def _folder_names(folder: Path) -> set[str]:
    return {inner.name for inner in folder.iterdir() if inner.is_dir()}


def _check_folder(folder: Path) -> None:
    """ConfigError if what a folder holds would not be read."""
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

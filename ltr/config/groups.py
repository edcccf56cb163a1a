"""The config groups: folders of YAML files, each file a choice. Opens the files as text alone."""

from pathlib import Path

ARM = "arm"
"""The folder that defines arms. They are all there in every run, which chooses with `arms`."""


def config_dir() -> Path:
    """The folder of YAML files: inside the installed package, or beside it in a clone."""
    package = Path(__file__).parents[1]
    shipped = package / "configs"
    return shipped if shipped.is_dir() else package.parent / "configs"


def group_names() -> list[str]:
    """The config groups of which a run chooses one."""
    folders = (folder.name for folder in config_dir().iterdir() if folder.is_dir())
    return sorted(set(folders) - {"hydra", ARM})


def file_of(group: str, choice: str) -> Path:
    """The YAML file of a choice."""
    return config_dir() / group / f"{choice}.yaml"


def choices(group: str) -> dict[str, str]:
    """The choices of a config group, each with the first comment of its YAML file, if it has one."""
    return {name: _first_comment(file_of(group, name)) for name in choice_names(group)}


def choice_names(group: str) -> list[str]:
    """Return the names of the choices of a config group; their files are not opened."""
    files = (config_dir() / group).glob("[!.]*.yaml")
    return sorted(file.stem for file in files if file.is_file())


def _first_comment(file: Path) -> str:
    try:
        lines = file.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    comments = (line[1:].strip() for line in lines if line.startswith("#"))
    return next((line for line in comments if not line.startswith("@package")), "")

"""Checks of the knobs of a data set that read no data and import no NumPy."""

from pathlib import Path

from ltr.addresses import is_address
from ltr.config.schema import Dataset
from ltr.data.limits import require_openable
from ltr.data.registry import CUSTOM, DATASETS
from ltr.errors import ConfigError, DataNotFoundError


def check(config: Dataset) -> None:
    """Refuse custom-data knobs on a built-in data set, and custom data without a path.

    Raises:
        ConfigError: a knob does not apply to the data set.
        DataNotFoundError: `config.path` does not exist.
    """
    if DATASETS[config.name] is CUSTOM:
        require_path(config)
        return
    for knob in ("path", "sha256", "layout"):
        if (value := getattr(config, knob)) is not None:
            raise ConfigError(f"dataset.{knob}={value}: must be null unless dataset={CUSTOM.name}")
    if config.split == "file":
        raise ConfigError(f"dataset.split=file: must be last or stratified unless dataset={CUSTOM.name}")


def require_path(config: Dataset) -> Path:
    """Return the path of custom data; raises as `check` does if there is none."""
    if config.path is None:
        needs = f"must name an .npz file or a folder of prepared TFDS data for dataset={CUSTOM.name}"
        raise ConfigError(f"dataset.path=null: {needs}")
    if is_address(config.path):
        raise ConfigError(f"dataset.path={config.path}: must be a path of this machine, and no address")
    path = Path(config.path).expanduser()
    if not path.exists():
        raise DataNotFoundError(f"dataset.path={config.path}: no such file or folder")
    try:
        require_openable(path)
    except ValueError as error:
        raise ConfigError(f"dataset.path={config.path}: {error}") from None
    return path


def require_fewer(config: Dataset, examples: int) -> None:
    """Raise ConfigError if the validation split leaves no training example."""
    if config.validation >= examples:
        raise ConfigError(
            f"dataset.validation={config.validation}: must be smaller than "
            f"the {examples} training examples of {config.name}"
        )

"""Checks of the knobs of a data set that need none of its data; without NumPy."""

from pathlib import Path

from ltr.config.schema import Dataset
from ltr.data.registry import CUSTOM, DATASETS
from ltr.errors import ConfigError, DataNotFoundError


def check(config: Dataset) -> None:
    """Refuse knobs of data of one's own that another data set is given, or that name no data.

    Raises:
        ConfigError: a knob does not go with the data set.
        DataNotFoundError: nothing is at `config.path`.
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
    """Return where data of one's own lie; raises as `check` does if they are nowhere."""
    if config.path is None:
        raise ConfigError("dataset.path=null: must name an .npz file or a folder of prepared TFDS data")
    path = Path(config.path).expanduser()
    if not path.exists():
        raise DataNotFoundError(f"dataset.path={config.path}: no such file or folder")
    return path


def require_fewer(config: Dataset, examples: int) -> None:
    """ConfigError if no example is left to train on."""
    if config.validation >= examples:
        raise ConfigError(
            f"dataset.validation={config.validation}: must be smaller than "
            f"the {examples} training examples of {config.name}"
        )

"""Networks, by the name that `model=...` takes."""

from collections.abc import Callable

from ltr.config import nearest
from ltr.errors import ConfigError
from ltr.models import conv, lenet
from ltr.models.model import Model

MODELS: dict[str, Callable[[tuple[int, int, int], int], Model]] = {
    "lenet_300_100": lenet.lenet_300_100,
    "conv2": conv.conv2,
}


def build(name: str, image_shape: tuple[int, int, int], classes: int) -> Model:
    """The network `name` for images [height, width, channels]: ConfigError if it is unknown or cannot fit."""
    if name not in MODELS:
        raise ConfigError(f"model.name={name}: unknown network; {nearest(name, MODELS)}")
    return MODELS[name](image_shape, classes)


__all__ = ["MODELS", "Model", "build"]

"""Networks, by the name that `model=...` takes."""

from collections.abc import Callable

from ltr.config import Model as Config
from ltr.errors import ConfigError
from ltr.models import conv, lenet, resnet, vgg, wide_resnet
from ltr.models.model import KINDS, Model, with_statistics
from ltr.suggestions import nearest

MODELS: dict[str, Callable[[Config, tuple[int, int, int], int], Model]] = {
    "lenet_300_100": lenet.lenet_300_100,
    "conv2": conv.conv2,
    "conv4": conv.conv4,
    "conv6": conv.conv6,
    "resnet18": resnet.resnet18,
    "resnet20": resnet.resnet20,
    "vgg16": vgg.vgg16,
    "vgg19": vgg.vgg19,
    "wide_resnet": wide_resnet.wide_resnet,
}


def build(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """The network for images [height, width, channels]: ConfigError if it is unknown or cannot fit."""
    if config.name not in MODELS:
        raise ConfigError(f"model.name={config.name}: unknown network; {nearest(config.name, MODELS)}")
    return MODELS[config.name](config, image_shape, classes)


__all__ = ["KINDS", "MODELS", "Model", "build", "with_statistics"]

"""Networks, by the name that `model=...` takes."""

from collections.abc import Callable
from typing import NamedTuple

from ltr.config.schema import Model as Config
from ltr.errors import ConfigError
from ltr.models import conv, lenet, resnet, vgg, wide_resnet
from ltr.models.model import LAYER_TYPES, Model, with_statistics
from ltr.suggestions import nearest


class Network(NamedTuple):
    """An entry of `MODELS`.

    Attributes:
        title: name as papers write it, at `model.width=1`.
        build: configuration, image shape [height, width, channels], number of classes -> `Model`.
    """

    title: str
    build: Callable[[Config, tuple[int, int, int], int], Model]


MODELS = {
    "lenet_300_100": Network("LeNet-300-100", lenet.lenet_300_100),
    "conv2": Network("Conv-2", conv.conv2),
    "conv4": Network("Conv-4", conv.conv4),
    "conv6": Network("Conv-6", conv.conv6),
    "resnet18": Network("ResNet-18", resnet.resnet18),
    "resnet20": Network("ResNet-20", resnet.resnet20),
    "vgg16": Network("VGG-16", vgg.vgg16),
    "vgg19": Network("VGG-19", vgg.vgg19),
    "wide_resnet": Network("WRN-28-10", wide_resnet.wide_resnet),
}


def build(config: Config, image_shape: tuple[int, int, int], classes: int) -> Model:
    """The network for images [height, width, channels]: ConfigError if it is unknown or cannot fit."""
    return _find(config).build(config, image_shape, classes)


def title(config: Config) -> str:
    """Name of a network as papers write it, and its width where that is changed; ConfigError if unknown."""
    name = _find(config).title
    return name if config.width == 1 else f"{name} (width {config.width:g})"


def _find(config: Config) -> Network:
    if config.name not in MODELS:
        raise ConfigError(f"model.name={config.name}: unknown network; {nearest(config.name, MODELS)}")
    return MODELS[config.name]


__all__ = ["LAYER_TYPES", "MODELS", "Model", "Network", "build", "title", "with_statistics"]

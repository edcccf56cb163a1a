"""Registry of networks and initialisers; importable without JAX. Each family's code has its own module."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import pydantic
from pydantic import Field

from ltr.config.schema import STRICT
from ltr.config.schema import Model as Config
from ltr.errors import ConfigError
from ltr.registry import Entry, Registry

if TYPE_CHECKING:
    from ltr.models.model import Model


@dataclass(frozen=True, kw_only=True)
class Network(Entry):
    """A network.

    Its code: configuration, image shape [height, width, channels], classes (and options) -> `Model`.

    Attributes:
        title: name in papers, at `model.width=1`.
        min_size: smallest height and width of an image, so that the pooling layers can halve it.
        takes_dropout: whether it has dropout layers.
    """

    title: str
    min_size: int = 1
    takes_dropout: bool = False

    def check(self, config: Config, image_shape: tuple[int, int, int]) -> None:
        """Raise ConfigError if images (height, width, channels) are too small, or dropout has no effect."""
        if config.dropout and not self.takes_dropout:
            raise ConfigError(f"model.dropout={config.dropout}: must be 0; {self.name} has no dropout")
        if min(image_shape[:2]) < self.min_size:
            raise ConfigError(
                f"model.name={self.name}: needs images of at least {self.min_size}x{self.min_size}, "
                f"these are {image_shape}"
            )


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class WideResNetOptions:
    """Options of a wide residual network."""

    blocks: Annotated[
        int,
        Field(
            ge=1, description="residual blocks in each of three groups; the network has 6 x blocks + 4 layers"
        ),
    ] = 4


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class ViTOptions:
    """Options of a vision transformer."""

    patch: Annotated[
        int, Field(ge=1, description="height and width of a patch in pixels; must divide those of images")
    ] = 4
    depth: Annotated[int, Field(ge=1, description="number of blocks")] = 12
    heads: Annotated[int, Field(ge=1, description="attention heads, of 64 features each at width 1")] = 3
    pool: Annotated[
        Literal["token", "mean"],
        Field(description="input of the output layer: a class token, or the mean of all tokens"),
    ] = "token"


NETWORKS: Registry[Network] = Registry(
    "model.name",
    "network",
    [
        Network(
            name="lenet_300_100",
            doc="Dense layers of 300 and 100 units.",
            paper="LeCun et al., 1998",
            code="ltr.models.lenet:lenet_300_100",
            title="LeNet-300-100",
            takes_dropout=True,
        ),
        Network(
            name="conv2",
            doc="Two 3x3 convolutions, pooled, and two dense layers of 256 units.",
            paper="Frankle & Carbin, 2019",
            code="ltr.models.conv:conv2",
            title="Conv-2",
            min_size=2,
            takes_dropout=True,
        ),
        Network(
            name="conv4",
            doc="Four 3x3 convolutions, pooled after each two, and two dense layers of 256 units.",
            paper="Frankle & Carbin, 2019",
            code="ltr.models.conv:conv4",
            title="Conv-4",
            min_size=4,
            takes_dropout=True,
        ),
        Network(
            name="conv6",
            doc="Six 3x3 convolutions, pooled after each two, and two dense layers of 256 units.",
            paper="Frankle & Carbin, 2019",
            code="ltr.models.conv:conv6",
            title="Conv-6",
            min_size=8,
            takes_dropout=True,
        ),
        Network(
            name="resnet18",
            doc="ImageNet's residual network of 18 layers, with a stem for small images.",
            paper="He et al., 2016",
            code="ltr.models.resnet:resnet18",
            title="ResNet-18",
            min_size=8,
        ),
        Network(
            name="resnet20",
            doc="CIFAR's residual network of 20 layers.",
            paper="He et al., 2016",
            code="ltr.models.resnet:resnet20",
            title="ResNet-20",
            min_size=4,
        ),
        Network(
            name="vgg16",
            doc="Thirteen 3x3 convolutions with batch normalisation, and a dense output.",
            paper="Simonyan & Zisserman, 2015",
            code="ltr.models.vgg:vgg16",
            title="VGG-16",
            min_size=16,
        ),
        Network(
            name="vgg19",
            doc="Sixteen 3x3 convolutions with batch normalisation, and a dense output.",
            paper="Simonyan & Zisserman, 2015",
            code="ltr.models.vgg:vgg19",
            title="VGG-19",
            min_size=16,
        ),
        Network(
            name="wide_resnet",
            doc="Residual network of few, wide layers; model.width=0.1 is as narrow as ResNet.",
            paper="Zagoruyko & Komodakis, 2016",
            code="ltr.models.wide_resnet:wide_resnet",
            title="WRN-28-10",
            min_size=4,
            takes_dropout=True,
            options=WideResNetOptions,
        ),
        Network(
            name="vit_tiny",
            doc="Vision transformer of 12 attention blocks, 192 features and 4x4 patches.",
            paper="Dosovitskiy et al., 2021",
            code="ltr.models.vit:vit_tiny",
            title="ViT-Ti/4",
            takes_dropout=True,
            options=ViTOptions,
        ),
    ],
)

INITIALIZERS: Registry[Entry] = Registry(
    "model.init",
    "initialiser",
    [
        Entry(
            name="glorot",
            doc="Variance 2 / (fan_in + fan_out).",
            paper="Glorot & Bengio, 2010",
            code="ltr.models.layers:GLOROT",
        ),
        Entry(
            name="kaiming",
            doc="Variance 2 / fan_in.",
            paper="He et al., 2015",
            code="ltr.models.layers:KAIMING",
        ),
    ],
)
"""Code: Flax initialiser; a Gaussian of mean 0, not truncated."""


def build(config: Config, image_shape: tuple[int, int, int], classes: int) -> "Model":
    """Return the network for images (height, width, channels); ConfigError if unknown or unsuitable."""
    network = NETWORKS[config.name]
    network.check(config, image_shape)
    model: Model = network.call(config, image_shape, classes, options=config.options)
    return model


def title(config: Config) -> str:
    """Return a network's name in papers, with width and options that differ; `config.name` if unknown."""
    network = NETWORKS.get(config.name)
    changes = [] if config.width == 1 else [f"width {config.width:g}"]
    changes += [f"{name} {value}" for name, value in config.options.items()]
    title = config.name if network is None else network.title
    return f"{title} ({', '.join(changes)})" if changes else title

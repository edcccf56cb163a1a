"""Networks of `ltr.models` in plain PyTorch, as most users would write them."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from torch import nn  # type: ignore[import-not-found, unused-ignore]


def conv_net(
    image: Sequence[int], classes: int, blocks: Sequence[int], dense: Sequence[int]
) -> nn.Sequential:
    """Build blocks of two 3x3 convolutions and a max pooling, hidden dense layers, and the output layer.

    Args:
        image: channels, height and width.
        classes: number of outputs.
        blocks: channels of each block; without any the network is fully connected.
        dense: units of each hidden dense layer.
    """
    channels, height, width = image
    layers: list[Any] = []
    for features in blocks:
        for inputs in (channels, features):
            layers += [nn.Conv2d(inputs, features, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        channels, height, width = features, height // 2, width // 2
    layers.append(nn.Flatten())
    *hidden, output = itertools.pairwise((channels * height * width, *dense, classes))
    for pair in hidden:
        layers += [nn.Linear(*pair), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(*output))


def vgg(
    image: Sequence[int], classes: int, channels: Sequence[int], convolutions: Sequence[int]
) -> nn.Sequential:
    """Build blocks of 3x3 convolutions with max pooling between, global average pooling, and the output.

    Args:
        image: channels, height and width.
        classes: number of outputs.
        channels: channels of each block.
        convolutions: convolutions of each block.
    """
    inputs = image[0]
    layers: list[Any] = []
    for block, (features, count) in enumerate(zip(channels, convolutions, strict=True)):
        layers += [nn.MaxPool2d(2)] if block else []
        for _ in range(count):
            layers += [*conv_and_norm(inputs, features), nn.ReLU()]
            inputs = features
    return nn.Sequential(*layers, *classifier(inputs, classes))


def resnet(image: Sequence[int], classes: int, groups: Sequence[int], blocks: int) -> nn.Sequential:
    """Build a 3x3 convolution, groups of residual blocks, global average pooling, and the output.

    Args:
        image: channels, height and width.
        classes: number of outputs.
        groups: channels of each group; each but the first halves the image.
        blocks: residual blocks of a group.
    """
    channels = groups[0]
    layers: list[Any] = [*conv_and_norm(image[0], channels), nn.ReLU()]
    for group, features in enumerate(groups):
        for block in range(blocks):
            layers.append(Block(channels, features, stride=2 if group and not block else 1))
            channels = features
    return nn.Sequential(*layers, *classifier(channels, classes))


class Block(nn.Module):  # type: ignore[misc, unused-ignore]
    """Residual block of two 3x3 convolutions; the shortcut is a 1x1 convolution if the shape changes."""

    def __init__(self, inputs: int, features: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *conv_and_norm(inputs, features, stride=stride),
            nn.ReLU(),
            *conv_and_norm(features, features),
        )
        is_same = inputs == features and stride == 1
        self.shortcut = nn.Sequential(*([] if is_same else conv_and_norm(inputs, features, 1, stride)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the result for a batch [batch, channels, height, width]."""
        return nn.functional.relu(self.convolutions(x) + self.shortcut(x))


def conv_and_norm(inputs: int, features: int, size: int = 3, stride: int = 1) -> list[Any]:
    """Build a convolution without bias, and batch normalisation."""
    convolution = nn.Conv2d(inputs, features, size, stride, padding=size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(features)]


def classifier(channels: int, classes: int) -> list[Any]:
    """Build global average pooling and the output layer."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]


FAMILIES: dict[str, Callable[..., nn.Sequential]] = {"conv_net": conv_net, "vgg": vgg, "resnet": resnet}
"""Functions that build a network from image, classes and options of the family."""

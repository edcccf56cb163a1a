"""Knobs of what is trained and how: data set, network and optimizer."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from ltr.config.schema.duration import Duration, Steps
from ltr.config.schema.markers import STRICT, FilePath, NameIn, OfMachine, OptionsOf, home


@dataclass(frozen=True, config=STRICT)
class Dataset:
    name: Annotated[str, Field(description="the data set"), NameIn("ltr.data.registry:DATASETS")] = "digits"
    validation: Annotated[
        int,
        Field(
            ge=1,
            description="number of training examples held out for validation, which finds the early stop",
        ),
    ] = 240
    augmentation: Annotated[
        str,
        Field(description="random changes of training images, drawn anew for every batch"),
        NameIn("ltr.data.registry:AUGMENTATIONS"),
    ] = "none"
    path: Annotated[
        str | None,
        BeforeValidator(home),
        Field(description="an .npz file or a folder of TFDS data (custom only)"),
        OfMachine(),
        FilePath(),
    ] = None
    sha256: Annotated[
        str | None,
        Field(description="checksum that the data at path must have (null: computed and recorded)"),
    ] = None
    split: Annotated[
        Literal["last", "stratified", "file", "auto"],
        Field(
            description="choice of the validation examples: the last ones of the training set, an equal "
            "share of each class (stratified), or the validation split at path (file); auto: last, but for "
            "custom data file if path has such a split, else stratified"
        ),
    ] = "last"
    layout: Annotated[
        Literal["channels_last", "channels_first"] | None,
        Field(
            description="order of the dimensions of images at path (custom only; null: channels_last, "
            "unless the shape of the images makes it improbable)"
        ),
        OfMachine(),
    ] = None


@dataclass(frozen=True, config=STRICT)
class Model:
    name: Annotated[str, Field(description="the network"), NameIn("ltr.models.registry:NETWORKS")] = (
        "lenet_300_100"
    )
    width: Annotated[
        float, Field(gt=0, le=1000, description="multiple of the channels and units of every hidden layer")
    ] = 1.0
    dropout: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="dropout rate of the inputs of dense layers (wide_resnet: between the convolutions "
            "of a block; vit_tiny: of the embedding and of the outputs of its layers)",
        ),
    ] = 0.0
    init: Annotated[
        str,
        Field(description="Gaussian distribution of the initial weights"),
        NameIn("ltr.models.registry:INITIALIZERS"),
    ] = "glorot"
    options: Annotated[
        Mapping[str, Any], Field(description="options of this network alone"), OptionsOf("name")
    ] = dataclasses.field(default_factory=dict, hash=False)


@dataclass(frozen=True, config=STRICT)
class Optimizer:
    name: Annotated[str, Field(description="the update rule"), NameIn("ltr.core.registry:OPTIMIZERS")] = (
        "adam"
    )
    learning_rate: Annotated[float, Field(gt=0, description="peak learning rate")] = 1.2e-3
    momentum: Annotated[
        float, Field(ge=0, lt=1, description="decay of the velocity in a step (name=momentum only)")
    ] = 0.9
    weight_decay: Annotated[
        float, Field(ge=0, description="coefficient of the weight decay (adam: decoupled)")
    ] = 0.0
    warmup: Annotated[Steps, Field(description="length of the linear rise of the learning rate from 0")] = (
        Duration(0)
    )
    schedule: Annotated[
        str,
        Field(description="learning-rate schedule after the warm-up"),
        NameIn("ltr.core.registry:SCHEDULES"),
    ] = "constant"
    drops: Annotated[
        tuple[Steps, ...],
        Field(description="steps or epochs at which the learning rate drops (schedule=step only)"),
    ] = ()
    drop_factor: Annotated[
        float, Field(gt=0, lt=1, description="factor by which the learning rate is multiplied at each drop")
    ] = 0.1
    decayed: Annotated[
        Literal["all", "kernels"],
        Field(
            description="parameters that decay: all, or the kernels of layers only, without biases, "
            "normalisation, embeddings and positions"
        ),
    ] = "all"
    clip: Annotated[
        float | None,
        Field(
            gt=0,
            description="largest norm of the gradient of all parameters, pruned weights excepted; a larger "
            "gradient is scaled down to it (null: no clipping)",
        ),
    ] = None
    options: Annotated[
        Mapping[str, Any], Field(description="options of this optimizer alone"), OptionsOf("name")
    ] = dataclasses.field(default_factory=dict, hash=False)

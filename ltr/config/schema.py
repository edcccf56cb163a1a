"""Schema of an experiment: the type, meaning, unit, default and bounds of every knob.

`configs/` and the command line compose to an `Experiment`. All other code receives it, or a part of it,
as a plain frozen dataclass.
"""

import dataclasses
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.dataclasses import dataclass

from ltr.registry import Registry, load

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Pydantic settings of every dataclass of knobs: unknown fields, NaN and infinity are refused."""


@dataclasses.dataclass(frozen=True)
class Duration:
    """Length of a training, in optimizer steps or in epochs."""

    amount: int
    unit: Literal["", "ep"] = ""

    @classmethod
    def parse(cls, text: Any) -> Self:
        """Parse `50000` as steps and `20ep` as epochs; ValueError for anything else."""
        if isinstance(text, cls):
            return text
        match = re.fullmatch(r"(\d+)(ep)?", str(text))
        if match is None or isinstance(text, bool):
            raise ValueError("not a duration")
        return cls(int(match[1]), "ep" if match[2] else "")

    def in_steps(self, steps_per_epoch: int) -> int:
        return self.amount * (steps_per_epoch if self.unit else 1)

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


Steps = Annotated[Duration, BeforeValidator(Duration.parse)]


class NotInRunId:
    """Marker of a knob that is not part of the run id."""


class Extends(NotInRunId):
    """Marker of a knob for the amount of training: a larger value extends the same run."""


class OfMachine(NotInRunId):
    """Marker of a knob of the machine or of the analysis, which cannot change a training's result.

    Comparisons of runs, lists of settings and commands to repeat a run leave it out.
    """


class AsTyped:
    """Marker of a text knob whose value on the command line is literal, whatever characters it holds."""


class FilePath(AsTyped):
    """Marker of a literal knob that names a file or folder; a leading `~` is the home folder."""


def _home(path: Any) -> Any:
    return os.path.expanduser(path) if isinstance(path, str) else path  # noqa: PTH111


class NameIn:
    """Marker of a knob that names a registry entry. The registry is imported on first use.

    Args:
        reference: "module:object" of the registry; its module imports neither JAX nor NumPy.
    """

    def __init__(self, reference: str) -> None:
        self._reference = reference

    @property
    def registry(self) -> Registry[Any]:
        return load(self._reference)


class OptionsOf:
    """Marker of a mapping of options for the entry that another knob of the group names.

    Args:
        knob: field of the same dataclass that names the entry.
    """

    def __init__(self, knob: str) -> None:
        self.knob = knob


class Auto:
    """Marker of a knob that may also be `auto`; `ltr.config.parse.parse` replaces it by other knobs."""


@dataclass(frozen=True, config=STRICT)
class Dataset:
    name: Annotated[str, Field(description="the data set"), NameIn("ltr.data.registry:DATASETS")] = "digits"
    validation: Annotated[
        int, Field(ge=1, description="training examples held out to choose the early stop")
    ] = 240
    augmentation: Annotated[
        str,
        Field(description="random changes of training images, drawn anew each time"),
        NameIn("ltr.data.registry:AUGMENTATIONS"),
    ] = "none"
    path: Annotated[
        str | None,
        BeforeValidator(_home),
        Field(description="an .npz file or a folder of TFDS data (custom only)"),
        OfMachine(),
        FilePath(),
    ] = None
    sha256: Annotated[str | None, Field(description="checksum of the data at path (null: computed)")] = None
    split: Annotated[
        Literal["last", "stratified", "file", "auto"],
        Field(
            description="validation examples: the last of the training set, a share of each class, or those "
            "that path brings (file); auto: file, else stratified, for custom data, last for others"
        ),
    ] = "last"
    layout: Annotated[
        Literal["channels_last", "channels_first"] | None,
        Field(
            description="order of the dimensions of images at path (custom only; null: channels_last, "
            "unless that is improbable)"
        ),
        OfMachine(),
    ] = None


@dataclass(frozen=True, config=STRICT)
class Model:
    name: Annotated[str, Field(description="the network"), NameIn("ltr.models.registry:NETWORKS")] = (
        "lenet_300_100"
    )
    width: Annotated[
        float, Field(gt=0, description="factor of the channels and units of every hidden layer")
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
    momentum: Annotated[float, Field(ge=0, lt=1, description="decay of the velocity (momentum only)")] = 0.9
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
        tuple[Steps, ...], Field(description="when the learning rate drops (step schedule only)")
    ] = ()
    drop_factor: Annotated[
        float, Field(gt=0, lt=1, description="factor of the learning rate at each drop")
    ] = 0.1
    decayed: Annotated[
        Literal["all", "kernels"],
        Field(
            description="parameters with weight decay: all, or only kernels of layers (no biases, "
            "normalisation, embeddings or positions)"
        ),
    ] = "all"
    clip: Annotated[
        float | None,
        Field(
            gt=0,
            description="largest norm of the gradient over all parameters but pruned weights; a larger "
            "gradient is scaled down to it (null: no clipping)",
        ),
    ] = None
    options: Annotated[
        Mapping[str, Any], Field(description="options of this optimizer alone"), OptionsOf("name")
    ] = dataclasses.field(default_factory=dict, hash=False)


@dataclass(frozen=True, config=STRICT)
class LayerRates:
    """Prune rate of each layer type, as a multiple of `prune_rate`."""

    conv: Annotated[float, Field(ge=0, description="convolutions: multiple of prune_rate, 0 for never")] = 1.0
    dense: Annotated[float, Field(ge=0, description="dense layers: multiple of prune_rate, 0 for never")] = (
        1.0
    )
    output: Annotated[float, Field(ge=0, description="output layer: multiple of prune_rate, 0 for never")] = (
        0.5
    )
    shortcut: Annotated[
        float, Field(ge=0, description="convolutions around residual blocks: multiple of prune_rate")
    ] = 0.0


@dataclass(frozen=True, config=STRICT)
class Pruning:
    criterion: Annotated[
        str,
        Field(description="score of a weight; the weights of lowest score are pruned"),
        NameIn("ltr.pruning.registry:CRITERIA"),
    ] = "magnitude"
    sign: Annotated[
        str,
        Field(description="prune first the weights whose sign changed (same) or did not change (different)"),
        NameIn("ltr.pruning.registry:SIGNS"),
    ] = "any"
    scope: Annotated[
        str,
        Field(
            description="prune each layer by its own rate (layerwise), all layers together (global), to "
            "equal density (uniform), or to Erdos-Renyi-Kernel densities (erk)"
        ),
        NameIn("ltr.pruning.registry:SCOPES"),
    ] = "layerwise"
    densities: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(description="falling densities of rounds 1, 2, ... instead of prune_rate (not layerwise)"),
    ] = ()
    rates: LayerRates = LayerRates()


@dataclass(frozen=True, config=STRICT)
class Rewind:
    name: Annotated[
        str, Field(description="reset of the surviving weights"), NameIn("ltr.pruning.registry:REWINDINGS")
    ] = "weights"


@dataclass(frozen=True, config=STRICT)
class Arm:
    mask: Annotated[
        str,
        Field(
            description="source of the mask: the ticket, the dense network pruned in one shot, or "
            "pruning at initialisation"
        ),
        NameIn("ltr.arms.registry:MASKS"),
    ] = "ticket"
    invert: Annotated[
        bool, Field(description="whether pruning at initialisation prunes the highest scores, not the lowest")
    ] = False
    shuffle: Annotated[
        str, Field(description="shuffling of the mask"), NameIn("ltr.arms.registry:SHUFFLES")
    ] = "none"
    weights: Annotated[
        str,
        Field(description="source of the weights at the start"),
        NameIn("ltr.arms.registry:WEIGHTS"),
    ] = "own"
    keep_signs: Annotated[bool, Field(description="whether those weights take the signs of weights=own")] = (
        False
    )
    noise: Annotated[
        float,
        Field(
            ge=0,
            description="Gaussian noise on those weights, in standard deviations of the initial weights of "
            "the layer",
        ),
    ] = 0.0
    pruned: Annotated[
        str,
        Field(description="values of the pruned weights"),
        NameIn("ltr.arms.registry:PRUNED"),
    ] = "zero"
    method: Annotated[
        str,
        Field(description="training method"),
        NameIn("ltr.methods.registry:METHODS"),
    ] = "weights"
    draws: Annotated[
        int, Field(ge=1, description="repeats of this arm inside a replicate, each drawn anew"), Extends()
    ] = 1


LOOKS = (5, 8, 13, 20, 30, 50, 80, 130, 200)
"""Numbers of replicates after which `replicates=auto` tests the claims. Few, as each look costs power."""


@dataclass(frozen=True, config=STRICT)
class Claims:
    densities: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(
            description="densities at which claims are tested, in the nearest rounds; choose them before any "
            "result (none, or none near: every round is tested, with less power)"
        ),
        OfMachine(),
    ] = (0.51, 0.21, 0.11, 0.036)
    decide: Annotated[
        tuple[Annotated[str, NameIn("ltr.analysis.registry:CLAIMS")], ...],
        Field(min_length=1, description="claims that replicates=auto must decide"),
        OfMachine(),
    ] = ("weights", "structure")
    most: Annotated[
        int | None,
        Field(
            ge=2,
            description="largest number of replicates, up to which they are added until the claims of "
            "claims.decide are decided (null: none are added; replicates=auto: 30)",
        ),
        OfMachine(),
    ] = None

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of replicates after which the claims are tested; empty if no replicates may be added."""
        return () if self.most is None else (*(look for look in LOOKS if look < self.most), self.most)


@dataclass(frozen=True, config=STRICT)
class Experiment:
    prune_rate: Annotated[
        float, Field(gt=0, lt=1, description="fraction of a layer's remaining weights pruned a round")
    ] = 0.2
    rounds: Annotated[
        int,
        Field(
            ge=0,
            description="number of prunings, at most one per entry of pruning.densities; the ticket trains "
            "once more",
        ),
        Extends(),
    ] = 15
    replicates: Annotated[
        int,
        Field(
            ge=1,
            description="independent repetitions, each with its own weights and data order; auto: as many "
            "as are needed to decide claims.decide",
        ),
        Extends(),
        Auto(),
    ] = 8
    seed: Annotated[int, Field(ge=0, lt=2**32, description="root of all randomness")] = 0
    steps: Annotated[Steps, Field(description="length of one training")] = Duration(1500)
    batch_size: Annotated[int, Field(ge=1, description="examples a step")] = 60
    eval_every: Annotated[Steps, Field(description="interval between evaluations")] = Duration(25)
    rewind_step: Annotated[
        Steps, Field(description="surviving weights are reset to their values at this step")
    ] = Duration(0)
    arms: Annotated[tuple[str, ...], Field(description="arms that are trained in every round"), Extends()] = (
        "ticket",
        "random_reinit",
        "random_mask",
        "one_shot",
    )
    ticket: Annotated[
        str | None,
        Field(
            description="start from the tickets of a finished run: RUN (last: the newest with its own), "
            "or RUN@round for one round"
        ),
        AsTyped(),
    ] = None
    early_bird: Annotated[
        bool,
        Field(description="record the step of a ticket's training from which the next mask hardly changes"),
    ] = False
    test_curves: Annotated[
        bool,
        Field(description="measure test accuracy at every evaluation, not only at early stop and the end"),
    ] = False
    dataset: Dataset = Dataset()
    model: Model = Model()
    optimizer: Optimizer = Optimizer()
    pruning: Pruning = Pruning()
    rewind: Rewind = Rewind()
    claims: Claims = Claims()
    arm: Annotated[dict[str, Arm], Field(description="arm definitions"), Extends()] = dataclasses.field(
        default_factory=lambda: {
            "ticket": Arm(),
            "random_reinit": Arm(weights="reinit"),
            "random_mask": Arm(shuffle="layerwise"),
            "one_shot": Arm(mask="one_shot"),
        }
    )
    output_root: Annotated[
        str,
        BeforeValidator(_home),
        Field(min_length=1, description="folder of the run folders"),
        OfMachine(),
        FilePath(),
    ] = "outputs"
    data_dir: Annotated[
        str | None,
        BeforeValidator(_home),
        Field(description="folder of prepared data (null: where TFDS puts it)"),
        OfMachine(),
        FilePath(),
    ] = None
    devices: Annotated[
        int | None,
        Field(ge=1, description="devices to train on (null: all; each CPU core is one)"),
        OfMachine(),
    ] = None
    lanes_per_device: Annotated[
        int | None,
        Field(ge=1, description="trainings at the same time on a device (null: chosen automatically)"),
        OfMachine(),
    ] = None
    sparse: Annotated[
        Literal["auto", "always", "never"],
        Field(
            description="train pruned layers packed, at the cost of their kept weights (CPU only): where "
            "that is faster on this machine, always, or never"
        ),
        OfMachine(),
    ] = "auto"
    tracker: Annotated[
        str,
        Field(description="tracker that also shows the curves of each finished round"),
        NameIn("ltr.trackers.registry:TRACKERS"),
        OfMachine(),
    ] = "none"
    checkpoint_every: Annotated[
        float, Field(gt=0, description="seconds between checkpoints inside a round"), OfMachine()
    ] = 60.0

    def trains(self, round_number: int) -> bool:
        """Return whether a round is trained; `ticket=RUN@round` trains that round and round 0 only."""
        return self.ticket is None or "@" not in self.ticket or round_number in (0, self.rounds)

    def draws(self, arm: str) -> int:
        """Return the number of repeats of an arm in each replicate."""
        return self.arm.get(arm, Arm()).draws


def to_dict(node: Any) -> Any:
    """Return a config dataclass as plain data for YAML and JSON, which `parse` accepts."""
    if isinstance(node, Duration):
        return node.amount if not node.unit else str(node)
    if dataclasses.is_dataclass(node):
        return {field.name: to_dict(getattr(node, field.name)) for field in dataclasses.fields(node)}
    if isinstance(node, Mapping):
        return {key: to_dict(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [to_dict(value) for value in node]
    return node

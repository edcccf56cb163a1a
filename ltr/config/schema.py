"""Every knob of an experiment: its type, meaning, unit, default and bounds, said once.

`configs/` and the command line compose to an `Experiment`; everything below the command
line receives it, or a part of it, as a plain frozen dataclass.
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
"""Settings of every dataclass of knobs: unknown fields, NaN and infinity are refused."""


@dataclasses.dataclass(frozen=True)
class Duration:
    """A length of training: a number of optimizer steps, or of passes over the training set."""

    amount: int
    unit: Literal["", "ep"] = ""

    @classmethod
    def parse(cls, text: Any) -> Self:
        """`50000` is steps, `20ep` is epochs; ValueError for anything else."""
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
    """Marks a knob that is no part of a run's identity, in one of two ways."""


class Extends(NotInRunId):
    """Marks a knob that says how much of a run there is: more of it extends the run."""


class OfMachine(NotInRunId):
    """Marks a knob of the machine, or of how one looks: it cannot change a result.

    It is in no comparison of runs, no list of settings and no command to repeat.
    """


class AsTyped:
    """Marks a text knob whose value on the command line is taken as typed, whatever signs are in it."""


class FilePath(AsTyped):
    """Marks such a knob that names a file or folder; `~` at its start is the home folder."""


def _home(path: Any) -> Any:
    return os.path.expanduser(path) if isinstance(path, str) else path  # noqa: PTH111


class NameIn:
    """Marks a knob that names an entry of a registry, which is imported when it is asked for.

    Args:
        reference: "module:object" of the registry; its module imports neither JAX nor NumPy.
    """

    def __init__(self, reference: str) -> None:
        self._reference = reference

    @property
    def registry(self) -> Registry[Any]:
        return load(self._reference)


class OptionsOf:
    """Marks a mapping that holds the options of the entry that another knob of its group names.

    Args:
        knob: that other knob, a field of the same dataclass.
    """

    def __init__(self, knob: str) -> None:
        self.knob = knob


class Auto:
    """Marks a knob that may be `auto` too, which `ltr.config.parse.parse` makes other knobs of."""


@dataclass(frozen=True, config=STRICT)
class Dataset:
    name: Annotated[str, Field(description="the data set"), NameIn("ltr.data.registry:DATASETS")] = "digits"
    validation: Annotated[
        int, Field(ge=1, description="training examples held out to choose the early stop")
    ] = 240
    augmentation: Annotated[
        str,
        Field(description="what a training image goes through each time"),
        NameIn("ltr.data.registry:AUGMENTATIONS"),
    ] = "none"
    path: Annotated[
        str | None,
        BeforeValidator(_home),
        Field(description="an .npz file or a folder of TFDS data (custom only)"),
        OfMachine(),
        FilePath(),
    ] = None
    sha256: Annotated[str | None, Field(description="checksum of what is at path (null: filled in)")] = None
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
        float, Field(gt=0, description="multiple of the channels and units of every hidden layer")
    ] = 1.0
    dropout: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="fraction dropped, in training, of what goes into dense layers "
            "(wide_resnet: of what is between the convolutions of a block)",
        ),
    ] = 0.0
    init: Annotated[
        str,
        Field(description="the Gaussian that weights are drawn from"),
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
    learning_rate: Annotated[float, Field(gt=0, description="the learning rate at its highest")] = 1.2e-3
    momentum: Annotated[float, Field(ge=0, lt=1, description="decay of the velocity (momentum only)")] = 0.9
    weight_decay: Annotated[
        float, Field(ge=0, description="pull of every parameter to zero (adam: decoupled)")
    ] = 0.0
    warmup: Annotated[Steps, Field(description="linear rise of the learning rate from 0")] = Duration(0)
    schedule: Annotated[
        str,
        Field(description="the learning rate after the warm-up"),
        NameIn("ltr.core.registry:SCHEDULES"),
    ] = "constant"
    drops: Annotated[
        tuple[Steps, ...], Field(description="when the learning rate drops (step schedule only)")
    ] = ()
    drop_factor: Annotated[
        float, Field(gt=0, lt=1, description="what each drop multiplies the learning rate by")
    ] = 0.1
    options: Annotated[
        Mapping[str, Any], Field(description="options of this optimizer alone"), OptionsOf("name")
    ] = dataclasses.field(default_factory=dict, hash=False)


@dataclass(frozen=True, config=STRICT)
class LayerRates:
    """Prune rate of a layer type, as a multiple of `prune_rate`."""

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
        Field(description="what scores a weight, the lowest of which are pruned"),
        NameIn("ltr.pruning.registry:CRITERIA"),
    ] = "magnitude"
    sign: Annotated[
        str,
        Field(description="weights whose initial and trained signs are not so are pruned first"),
        NameIn("ltr.pruning.registry:SIGNS"),
    ] = "any"
    scope: Annotated[
        str,
        Field(description="each layer by its own rate, all together, evenly, or Erdos-Renyi-Kernel"),
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
        str, Field(description="what survivors are reset to"), NameIn("ltr.pruning.registry:REWINDINGS")
    ] = "weights"


@dataclass(frozen=True, config=STRICT)
class Arm:
    mask: Annotated[
        str,
        Field(
            description="where its mask comes from: the ticket, the dense network pruned at once, or "
            "pruning at initialisation"
        ),
        NameIn("ltr.arms.registry:MASKS"),
    ] = "ticket"
    invert: Annotated[
        bool, Field(description="whether pruning at initialisation takes its highest scores, not its lowest")
    ] = False
    shuffle: Annotated[
        str, Field(description="how its mask is shuffled"), NameIn("ltr.arms.registry:SHUFFLES")
    ] = "none"
    weights: Annotated[
        str,
        Field(description="what its weights start from"),
        NameIn("ltr.arms.registry:WEIGHTS"),
    ] = "own"
    keep_signs: Annotated[bool, Field(description="whether those take the signs of its own")] = False
    noise: Annotated[
        float,
        Field(ge=0, description="Gaussian noise on them, in deviations of their layer's initial weights"),
    ] = 0.0
    pruned: Annotated[
        str,
        Field(description="what becomes of the pruned weights"),
        NameIn("ltr.arms.registry:PRUNED"),
    ] = "zero"
    method: Annotated[
        str,
        Field(description="how it trains"),
        NameIn("ltr.methods.registry:METHODS"),
    ] = "weights"
    draws: Annotated[
        int, Field(ge=1, description="repeats of this arm inside a replicate, each drawn anew"), Extends()
    ] = 1


LOOKS = (5, 8, 13, 20, 30, 50, 80, 130, 200)
"""After how many replicates `replicates=auto` may look whether they are enough: each look costs power."""


@dataclass(frozen=True, config=STRICT)
class Claims:
    densities: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(
            description="where claims are tested, best chosen before any result: in the rounds nearest "
            "to these densities (none, or none near: in every round, with less power in each)"
        ),
        OfMachine(),
    ] = (0.51, 0.21, 0.11, 0.036)
    decide: Annotated[
        tuple[Annotated[str, NameIn("ltr.analysis.registry:CLAIMS")], ...],
        Field(min_length=1, description="which claims replicates=auto is to decide"),
        OfMachine(),
    ] = ("weights", "structure")
    most: Annotated[
        int | None,
        Field(
            ge=2,
            description="add replicates until these are decided, but no more than so many "
            "(null: none; replicates=auto: 30)",
        ),
        OfMachine(),
    ] = None

    @property
    def looks(self) -> tuple[int, ...]:
        """After how many replicates it is looked whether they are decided; none unless some may be added."""
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
            description="prunings, one for each of pruning.densities at most; the ticket trains once more",
        ),
        Extends(),
    ] = 15
    replicates: Annotated[
        int,
        Field(
            ge=1,
            description="independent repetitions, each with its own weights and data order; auto: as many "
            "as it takes to decide claims.decide",
        ),
        Extends(),
        Auto(),
    ] = 8
    seed: Annotated[int, Field(ge=0, lt=2**32, description="root of all randomness")] = 0
    steps: Annotated[Steps, Field(description="length of one training")] = Duration(1500)
    batch_size: Annotated[int, Field(ge=1, description="examples a step")] = 60
    eval_every: Annotated[Steps, Field(description="between evaluations")] = Duration(25)
    rewind_step: Annotated[Steps, Field(description="survivors are reset to their values at this step")] = (
        Duration(0)
    )
    arms: Annotated[tuple[str, ...], Field(description="what is trained in every round"), Extends()] = (
        "ticket",
        "random_reinit",
        "random_mask",
        "one_shot",
    )
    ticket: Annotated[
        str | None,
        Field(
            description="start from the tickets of a finished run: RUN (last: the last that has its own), "
            "or RUN@round for one round"
        ),
        AsTyped(),
    ] = None
    early_bird: Annotated[
        bool, Field(description="note at which step of a ticket's training the next could have been drawn")
    ] = False
    test_curves: Annotated[
        bool,
        Field(description="ask the test set at every evaluation, not only about the early stop and the end"),
    ] = False
    dataset: Dataset = Dataset()
    model: Model = Model()
    optimizer: Optimizer = Optimizer()
    pruning: Pruning = Pruning()
    rewind: Rewind = Rewind()
    claims: Claims = Claims()
    arm: Annotated[dict[str, Arm], Field(description="what each arm is"), Extends()] = dataclasses.field(
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
        int | None, Field(ge=1, description="trainings side by side on a device (null: chosen)"), OfMachine()
    ] = None
    sparse: Annotated[
        Literal["auto", "always", "never"],
        Field(
            description="train pruned layers at the cost of the weights they keep (CPU only): where "
            "this machine is faster at it, always, never"
        ),
        OfMachine(),
    ] = "auto"
    tracker: Annotated[
        str,
        Field(description="where else the curves of each finished round are shown"),
        NameIn("ltr.trackers.registry:TRACKERS"),
        OfMachine(),
    ] = "none"
    checkpoint_every: Annotated[
        float, Field(gt=0, description="seconds between checkpoints inside a round"), OfMachine()
    ] = 60.0

    def trains(self, round_number: int) -> bool:
        """Whether a round is trained; of the tickets of another run it may be one alone, and the dense."""
        return self.ticket is None or "@" not in self.ticket or round_number in (0, self.rounds)

    def draws(self, arm: str) -> int:
        """How many repeats of an arm each replicate trains."""
        return self.arm.get(arm, Arm()).draws


def to_dict(node: Any) -> Any:
    """A config dataclass as plain data that `parse` takes back and YAML and JSON can hold."""
    if isinstance(node, Duration):
        return node.amount if not node.unit else str(node)
    if dataclasses.is_dataclass(node):
        return {field.name: to_dict(getattr(node, field.name)) for field in dataclasses.fields(node)}
    if isinstance(node, Mapping):
        return {key: to_dict(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [to_dict(value) for value in node]
    return node

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


class OfLane:
    """Marker of a knob that no compiled program depends on, so runs that differ in it can train together.

    Its value decides what lanes start from, which of them there are and what becomes of them, or is an
    argument of the program.
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
        BeforeValidator(_home),
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


@dataclass(frozen=True, config=STRICT)
class LayerRates:
    """Prune rate of each layer type, as a multiple of `prune_rate`."""

    conv: Annotated[
        float,
        Field(ge=0, description="prune rate of convolutions, as a multiple of prune_rate (0: never pruned)"),
        OfLane(),
    ] = 1.0
    dense: Annotated[
        float,
        Field(ge=0, description="prune rate of dense layers, as a multiple of prune_rate (0: never pruned)"),
        OfLane(),
    ] = 1.0
    output: Annotated[
        float,
        Field(
            ge=0, description="prune rate of the output layer, as a multiple of prune_rate (0: never pruned)"
        ),
        OfLane(),
    ] = 0.5
    shortcut: Annotated[
        float,
        Field(
            ge=0,
            description="prune rate of convolutions around residual blocks, as a multiple of prune_rate",
        ),
        OfLane(),
    ] = 0.0


@dataclass(frozen=True, config=STRICT)
class Pruning:
    criterion: Annotated[
        str,
        Field(description="score of a trained weight; the weights with the lowest scores are pruned"),
        NameIn("ltr.pruning.registry:CRITERIA"),
        OfLane(),
    ] = "magnitude"
    sign: Annotated[
        str,
        Field(description="condition on the sign of a weight after training; weights that fail it go first"),
        NameIn("ltr.pruning.registry:SIGNS"),
        OfLane(),
    ] = "any"
    scope: Annotated[
        str,
        Field(
            description="division of the pruned weights among the layers: each layer by its own rate "
            "(layerwise), all layers together (global), equal densities (uniform), or Erdos-Renyi-Kernel "
            "densities (erk)"
        ),
        NameIn("ltr.pruning.registry:SCOPES"),
        OfLane(),
    ] = "layerwise"
    densities: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(description="falling densities of rounds 1, 2, ... that replace prune_rate (not layerwise)"),
        OfLane(),
    ] = ()
    rates: LayerRates = LayerRates()


@dataclass(frozen=True, config=STRICT)
class Rewind:
    name: Annotated[
        str,
        Field(description="state from which surviving weights are trained again"),
        NameIn("ltr.pruning.registry:REWINDINGS"),
        OfLane(),
    ] = "weights"


@dataclass(frozen=True, config=STRICT)
class Arm:
    mask: Annotated[
        str,
        Field(
            description="source of the mask: the ticket, the dense network pruned in one shot, or a score "
            "at initialisation"
        ),
        NameIn("ltr.arms.registry:MASKS"),
        OfLane(),
    ] = "ticket"
    invert: Annotated[
        bool,
        Field(description="whether a score at initialisation prunes its highest values, not its lowest"),
        OfLane(),
    ] = False
    shuffle: Annotated[
        str,
        Field(description="shuffling of the mask, a control of its structure"),
        NameIn("ltr.arms.registry:SHUFFLES"),
        OfLane(),
    ] = "none"
    weights: Annotated[
        str,
        Field(description="source of the starting weights"),
        NameIn("ltr.arms.registry:WEIGHTS"),
        OfLane(),
    ] = "own"
    keep_signs: Annotated[
        bool,
        Field(description="whether the starting weights take the signs that weights=own would have"),
        OfLane(),
    ] = False
    noise: Annotated[
        float,
        Field(
            ge=0,
            description="standard deviation of Gaussian noise added to the starting weights, in standard "
            "deviations of the initial weights of the layer",
        ),
        OfLane(),
    ] = 0.0
    pruned: Annotated[
        str,
        Field(description="values of the pruned weights during training"),
        NameIn("ltr.arms.registry:PRUNED"),
        OfLane(),
    ] = "zero"
    method: Annotated[
        str,
        Field(description="training method: of weights, of connections, or of scores of fixed weights"),
        NameIn("ltr.methods.registry:METHODS"),
    ] = "weights"
    draws: Annotated[
        int,
        Field(
            ge=1,
            description="trainings of this arm in each replicate and round, each with its own random draws",
        ),
        Extends(),
        OfLane(),
    ] = 1


LOOKS = (5, 8, 13, 20, 30, 50, 80, 130, 200)
"""Numbers of replicates after which `replicates=auto` tests the claims; few, as each look costs power."""


@dataclass(frozen=True, config=STRICT)
class Claims:
    densities: Annotated[
        tuple[Annotated[float, Field(gt=0, lt=1)], ...],
        Field(
            description="densities at which claims are tested, each in the nearest round; choose them before "
            "the first result (if empty, or no round is near, every round is tested, with less power)"
        ),
        OfMachine(),
        OfLane(),
    ] = (0.51, 0.21, 0.11, 0.036)
    decide: Annotated[
        tuple[Annotated[str, NameIn("ltr.analysis.registry:CLAIMS")], ...],
        Field(min_length=1, description="claims that must be decided before replicates=auto stops"),
        OfMachine(),
        OfLane(),
    ] = ("weights", "structure")
    most: Annotated[
        int | None,
        Field(
            ge=3,
            description="largest number of replicates; replicates are added up to it until the claims of "
            "claims.decide are decided (null: none are added, but up to 30 with replicates=auto)",
        ),
        OfMachine(),
        OfLane(),
    ] = None

    @property
    def looks(self) -> tuple[int, ...]:
        """Numbers of replicates after which the claims are tested; empty if no replicates may be added."""
        return () if self.most is None else (*(look for look in LOOKS if look < self.most), self.most)


@dataclass(frozen=True, config=STRICT)
class Hosts:
    coordinator: Annotated[
        str | None,
        Field(description="HOST:PORT at which process 0 of a run of several processes listens"),
        OfMachine(),
    ] = None
    count: Annotated[
        int | None,
        Field(
            ge=1,
            description="number of processes that train the run (null: as Slurm's srun or Open MPI's mpirun "
            "started them, else 1)",
        ),
        OfMachine(),
    ] = None
    index: Annotated[
        int | None,
        Field(ge=0, description="number of this process, from 0, which writes the run"),
        OfMachine(),
    ] = None


@dataclass(frozen=True, config=STRICT)
class Experiment:
    prune_rate: Annotated[
        float,
        Field(gt=0, lt=1, description="fraction of the remaining weights of a layer that a round prunes"),
        OfLane(),
    ] = 0.2
    rounds: Annotated[
        int,
        Field(
            ge=0,
            description="number of times that the network is pruned and trained again, after the training of "
            "the dense network; at most the number of pruning.densities, if they are set",
        ),
        Extends(),
        OfLane(),
    ] = 15
    replicates: Annotated[
        int,
        Field(
            ge=1,
            description="number of independent repetitions, each with its own initial weights and data "
            "order; auto: as many as are needed to decide claims.decide",
        ),
        Extends(),
        Auto(),
        OfLane(),
    ] = 8
    seed: Annotated[int, Field(ge=0, lt=2**32, description="seed of all random numbers"), OfLane()] = 0
    steps: Annotated[Steps, Field(description="length of a training from step 0")] = Duration(1500)
    batch_size: Annotated[int, Field(ge=1, description="number of training examples in a step")] = 60
    eval_every: Annotated[
        Steps,
        Field(description="interval between evaluations, from which the early stop is chosen"),
        OfLane(),
    ] = Duration(25)
    rewind_step: Annotated[
        Steps,
        Field(description="step of the dense training to which rewinding goes back (0: initialisation)"),
        OfLane(),
    ] = Duration(0)
    arms: Annotated[
        tuple[str, ...],
        Field(description="arms to train in every round; ticket decides what is pruned"),
        Extends(),
        OfLane(),
    ] = (
        "ticket",
        "random_reinit",
        "random_mask",
        "one_shot",
    )
    ticket: Annotated[
        str | None,
        Field(
            description="finished run whose tickets are trained in place of own ones: RUN for all rounds, "
            "RUN@round for one (last: the newest run with tickets of its own)"
        ),
        AsTyped(),
        OfLane(),
    ] = None
    early_bird: Annotated[
        bool,
        Field(description="whether to record the step from which the mask of the next ticket hardly changes"),
    ] = False
    test_curves: Annotated[
        bool,
        Field(description="whether every evaluation includes the test set, not only early stop and end"),
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
        OfLane(),
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
        Field(ge=1, description="number of devices to train on; each CPU core is one (null: all)"),
        OfMachine(),
    ] = None
    hosts: Hosts = Hosts()
    lanes_per_device: Annotated[
        int | None,
        Field(
            ge=1,
            description="trainings at a time on a device; lower it if memory runs out (null: automatic)",
        ),
        OfMachine(),
    ] = None
    parallel: Annotated[
        Literal["auto", "lanes", "batch"],
        Field(
            description="distribution over devices; lanes: each device trains lanes of its own; batch: the "
            "devices share each batch of a lane (devices must divide batch_size; null takes as many as do); "
            "auto: batch for few lanes of a large network, else lanes"
        ),
        OfMachine(),
    ] = "auto"
    check_memory: Annotated[
        bool,
        Field(
            description="whether a run is refused, or trains less at a time, that by an estimate needs more "
            "memory than there is (false: it trains as asked, after a warning)"
        ),
        OfMachine(),
    ] = True
    sparse: Annotated[
        Literal["auto", "always", "never"],
        Field(
            description="whether pruned layers train packed, at the cost of their kept weights (CPU only); "
            "auto: where that is faster on this machine"
        ),
        OfMachine(),
    ] = "auto"
    arithmetic: Annotated[
        Literal["auto", "xla"],
        Field(
            description="order of operations of dense layers, convolutions and batch normalisations; auto: "
            "the fastest on this machine, which differs by rounding; xla: that of XLA"
        ),
        OfMachine(),
    ] = "auto"
    tracker: Annotated[
        str,
        Field(description="tracker that gets the curves and results of each finished round"),
        NameIn("ltr.trackers.registry:TRACKERS"),
        OfMachine(),
    ] = "none"
    checkpoint_every: Annotated[
        float,
        Field(gt=0, description="seconds between checkpoints inside a round, all that a crash can lose"),
        OfMachine(),
        OfLane(),
    ] = 60.0

    def trains(self, round_number: int) -> bool:
        """Return whether a round is trained; `ticket=RUN@round` trains that round and round 0 only."""
        return self.ticket is None or "@" not in self.ticket or round_number in (0, self.rounds)

    def draws(self, arm: str) -> int:
        """Return the number of repeats of an arm in each replicate."""
        return self.arm.get(arm, Arm()).draws


def to_dict(node: Any) -> Any:
    """Return a config dataclass as plain data for YAML and JSON, which `parse` accepts."""
    if node is None or isinstance(node, str | int | float):
        return node
    if isinstance(node, Duration):
        return node.amount if not node.unit else str(node)
    if dataclasses.is_dataclass(node):
        return {field.name: to_dict(getattr(node, field.name)) for field in dataclasses.fields(node)}
    if isinstance(node, Mapping):
        return {key: to_dict(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [to_dict(value) for value in node]
    return node

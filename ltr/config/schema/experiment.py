"""The experiment: every knob of a run."""

import dataclasses
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from ltr.config.schema.claims import Claims
from ltr.config.schema.duration import Duration, Steps
from ltr.config.schema.markers import (
    STRICT,
    AsTyped,
    Auto,
    Extends,
    FilePath,
    NameIn,
    OfLane,
    OfMachine,
    home,
)
from ltr.config.schema.pruning import Arm, Pruning, Rewind
from ltr.config.schema.training import Dataset, Model, Optimizer


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
    control_rounds: Annotated[
        tuple[Annotated[int, Field(ge=1)], ...],
        Field(
            description="rounds in which arms are trained and claims tested, except for ticket and iterated "
            "arms, which train in all (empty: every round)"
        ),
        OfLane(),
    ] = ()
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
        BeforeValidator(home),
        Field(min_length=1, description="folder of the run folders, or its address in a bucket"),
        OfMachine(),
        FilePath(),
        OfLane(),
    ] = "outputs"
    data_dir: Annotated[
        str | None,
        BeforeValidator(home),
        Field(description="folder of prepared data, or its address in a bucket (null: where TFDS puts it)"),
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
    share_dense: Annotated[
        bool,
        Field(
            description="whether the dense network is taken from a run of the same output_root that differs "
            "only in what comes after"
        ),
        OfMachine(),
        OfLane(),
    ] = True
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

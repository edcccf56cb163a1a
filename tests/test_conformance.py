"""What everything that can be chosen has in common: it composes, trains, prunes, resumes and repeats.

Each choice is made on the command line, alone, on made-up images of the right shape, and the run is
held to the same invariants. Whoever adds a network, data set, criterion, arm, optimizer or rewinding
adds a case by naming it.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

from ltr.arms.registry import MASKS
from ltr.config.groups import ARM, choices
from ltr.config.schema import Dataset as Config
from ltr.config.schema import Experiment
from ltr.core import masks
from ltr.data import dataset as data
from ltr.data.arrays import Split
from ltr.data.dataset import Dataset
from ltr.data.registry import AUGMENTATIONS, distributed
from ltr.engine import trainer
from ltr.engine.trainer import Progress
from ltr.errors import LtrError, StoppedError
from ltr.experiment import loop
from ltr.experiment.compose import from_words
from ltr.experiment.runtime import Runtime
from ltr.experiment.session import Session
from ltr.experiment.spec import RunSpec
from ltr.methods import early_bird, rigl_schedule
from ltr.models.registry import NETWORKS
from ltr.pruning.registry import CRITERIA, REWINDINGS, SIGNS
from ltr.pruning.targets import kept
from ltr.store import tables
from ltr.store.folder import RunFolder, round_name
from ltr.store.identity import run_id
from ltr.store.opening import open_run
from tests.marks import slow
from tests.runtimes import sharing

SMALL = ("steps=4", "eval_every=2", "rounds=1", "replicates=1", "arms=[ticket]", "batch_size=15")
TRANSFORMER = ("model=vit_tiny", "model.width=0.125", "model.options.depth=1")
ADAMW = ("optimizer.weight_decay=0.1", "optimizer.decayed=kernels", "optimizer.clip=1")
QUICK = {"global", "random"}
"""Choices that are tried every time; the others are much like these, and have tests of their own."""

QUICK_ARMS = ("ticket", "one_shot", "random_mask", "snip", "rigl")


def case(*words: str, choice: str | None = None) -> Any:
    """Words, slow if they are those of a choice that is not tried every time."""
    name = " ".join(words) or "default"
    return pytest.param(words, id=name) if choice is None or choice in QUICK else slow(words, id=name)


CASES = [
    case(),
    *(
        case(f"model={name}", "model.width=0.1", "dataset=cifar10", choice=name)
        for name in NETWORKS
        if name != "lenet_300_100"
    ),
    *(case(f"dataset={name}", "model.width=0.1", choice=name) for name in distributed() if name != "digits"),
    *(case(f"dataset.augmentation={name}", choice=name) for name in AUGMENTATIONS if name != "none"),
    *(case(f"optimizer={name}", choice=name) for name in choices("optimizer") if name != "adam"),
    *(case(f"pruning={name}", "pruning.rates.output=1", choice=name) for name in choices("pruning")),
    *(case(f"pruning.criterion={name}", choice=name) for name in CRITERIA if name != "magnitude"),
    *(case(f"pruning.sign={name}", choice=name) for name in SIGNS if name != "any"),
    *(
        case(f"rewind={name}", f"rewind_step={0 if name == 'continued' else 1}", choice=name)
        for name in REWINDINGS
    ),
    case(*TRANSFORMER, *ADAMW, "pruning=global", choice="vit_tiny"),
    case("early_bird=true", choice="early_bird"),
    case("test_curves=true", choice="test_curves"),
]


class Watch:
    """Stops a run after so many visits, or never."""

    def __init__(self, end: int | None) -> None:
        self._visits = itertools.count(1)
        self._end = end

    def on_stage(self, stage: str, lanes: int, step_cost: float) -> None: ...

    def on_resume(self, steps: int) -> None: ...

    def on_chunk(self, progress: Progress) -> LtrError | None:
        return StoppedError(2, "stopped") if next(self._visits) == self._end else None

    def on_round_end(self, round_number: int) -> None: ...


@functools.cache
def asked(words: tuple[str, ...]) -> Experiment:
    """The small run of a choice."""
    return from_words([*SMALL, *words])


def noise(config: Config, data_dir: str | None) -> Dataset:
    """Three images a class in training and one elsewhere, in the shape of the data set's."""
    facts, generator = data.describe(config), np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = np.arange(count * facts.classes, dtype=np.int32) % facts.classes
        return Split(generator.integers(0, 256, (len(labels), *facts.shape), np.uint8), labels)

    mean, std = np.full(facts.shape[-1:], 127.5, np.float32), np.full(facts.shape[-1:], 74, np.float32)
    return Dataset(config.name, split(3), split(1), split(1), facts.classes, mean, std)


@pytest.fixture(scope="module")
def ready() -> Callable[[Experiment], Runtime]:
    """A runtime for an experiment; those with the same programs share them."""
    build = sharing()
    return lambda experiment: build(RunSpec.from_experiment(experiment))


class Runs(NamedTuple):
    """A run left alone, and the same one stopped on its way and taken up again."""

    runtime: Runtime
    whole: Path
    resumed: Path


@pytest.fixture(scope="module")
def conduct(
    ready: Callable[[Experiment], Runtime], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Runs]:
    """Runs an experiment in words, visited at every step, and once more, stopped after the visit `end`."""

    def run(made: Runtime, root: Path, end: int | None) -> Path:
        here = dataclasses.replace(made.spec.experiment, output_root=str(root))
        with open_run(here) as folder:
            folder.begin(here, {}, {})
            loop.run(Session(made, folder), Watch(end))
            return folder.path

    def conduct(words: tuple[str, ...], end: int) -> Runs:
        root = tmp_path_factory.mktemp("conformance")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(data, "load", noise)
            patch.setattr(data, "training_examples", lambda config: 3 * data.describe(config).classes)
            patch.setattr(trainer, "CHUNK_SECONDS", 0.0)
            patch.setattr(rigl_schedule, "EVERY", 2)
            patch.setattr(early_bird, "QUEUE", 2)
            patch.setitem(MASKS._entries, "synflow", dataclasses.replace(MASKS["synflow"], rounds=3))
            made = ready(asked(words))
            whole = run(made, root / "whole", None)
            with pytest.raises(StoppedError):
                run(made, root / "resumed", end)
            return Runs(made, whole, run(made, root / "resumed", None))

    return conduct


@functools.cache
def saved(path: Path, round_number: int) -> Any:
    """The ticket of a round of a finished run."""
    return RunFolder(path).groups.load(round_name(round_number), 0)


def types(params: Any) -> Any:
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), params)


def check_tickets(runs: Runs) -> None:
    """Counts, masks, types and shapes of the tickets of both rounds."""
    dense, pruned = (saved(runs.whole, round_number) for round_number in (0, 1))
    for ticket, target in zip((dense, pruned), runs.runtime.spec.targets, strict=False):
        assert masks.count(ticket["mask"]) == kept(target)
        for params in (ticket["start"], ticket["trained"]):
            assert types(params) == types(runs.runtime.spec.shapes)
            assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
            zeros = masks.apply(ticket["mask"], params)
            assert same(params, zeros), "a pruned weight is exactly zero"
        assert not same(ticket["start"], ticket["trained"])
    nested = jax.tree.map(lambda old, new: not (new & ~old).any(), dense["mask"], pruned["mask"])
    assert all(jax.tree.leaves(nested))


def same(one: Any, other: Any) -> bool:
    """Bit for bit, but for the sign of zeros."""
    pairs = zip(*map(jax.tree.leaves, (one, other)), strict=True)
    return all(np.array_equal(left, right) for left, right in pairs)


@pytest.mark.parametrize("words", CASES)
def test_a_choice_trains_prunes_resumes_and_repeats(
    words: tuple[str, ...], conduct: Callable[..., Runs]
) -> None:
    runs = conduct(words, end=6)
    check_tickets(runs)
    for table in ("metrics", "results"):
        one, other = ((path / f"{table}.parquet").read_bytes() for path in (runs.whole, runs.resumed))
        assert one == other
    noted = tables.read(runs.resumed, "results")["early_bird_step"].notna()
    assert noted.any() == runs.runtime.spec.experiment.early_bird
    for round_number in (0, 1):
        assert same(*(saved(path, round_number) for path in (runs.whole, runs.resumed)))


@pytest.mark.parametrize(
    "cases", [pytest.param([case for case in CASES if not case.marks], id="few"), slow(CASES, id="all")]
)
def test_every_choice_is_another_run(cases: list[Any]) -> None:
    ids = [run_id(asked(case.values[0])) for case in cases]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("arms", [pytest.param(QUICK_ARMS, id="few"), slow(tuple(choices(ARM)), id="all")])
def test_every_arm_trains_unlike_others_resumes_and_repeats(
    arms: tuple[str, ...], conduct: Callable[..., Runs]
) -> None:
    """One test for all: each process of pytest that tests an arm trains the whole run."""
    runs = conduct((f"arms=[{','.join(arms)}]",), end=7)
    whole, resumed = (tables.read(path, "metrics") for path in (runs.whole, runs.resumed))
    assert set(whole["arm"]) == set(arms)
    for arm in arms:
        rows, again = (table.query(f"arm == '{arm}'") for table in (whole, resumed))
        assert rows.equals(again), arm
        pruned = rows.query("round == 1")
        assert pruned["step"].tolist() == [0, 2, 4], arm
        assert len(set(pruned["val_loss"])) > 1 or arm == "supermask", "whose odds take longer to turn"
        (density,) = set(pruned["density"])
        weights, target = map(kept, runs.runtime.spec.targets)
        assert (density == target / weights) is (arm != "supermask"), "which finds one of its own"
    losses = {arm: tuple(rows["val_loss"]) for arm, rows in whole.query("round == 1").groupby("arm")}
    same = [pair for pair in itertools.combinations(losses, 2) if losses[pair[0]] == losses[pair[1]]]
    assert same == [("one_shot", "ticket")], "which are the same in round 1"

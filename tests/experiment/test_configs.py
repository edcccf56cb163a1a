"""Every YAML in configs/: it composes, says what it is, and holds the numbers of the paper."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from ltr.cli import main
from ltr.config.groups import ARM, choices, config_dir, group_names
from ltr.config.parse import Knob, knobs
from ltr.config.schema import Duration, Model, Optimizer
from ltr.data.registry import DATASETS, distributed
from ltr.errors import ConfigError
from ltr.experiment.compose import from_words
from ltr.experiment.spec import RunSpec
from ltr.pruning.targets import kept
from tests.marks import slow

FILES = sorted(config_dir().rglob("*.yaml"))
DEEP = {
    f"cifar10_{name}"
    for name in (
        *("resnet20", "resnet20_rewind", "resnet20_search_race", "resnet20_warmup"),
        *("vgg16", "vgg19", "vit_tiny"),
    )
}
"""Recipes of large networks, whose numbers are compared below."""

CHOICES = [(group, choice) for group in group_names() for choice in choices(group)]
ARMS = {"ticket", "random_reinit", "random_mask", "one_shot"}


def squeezed(text: str) -> str:
    """The text without its line breaks."""
    return " ".join(text.split())


@pytest.fixture(scope="module")
def run_help() -> str:
    """What `ltr run --help` prints."""
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("ltr.commands.knobs.write", said.append)
        with pytest.raises(SystemExit) as caught:
            main(["run", "--help"])
    assert caught.value.code == 0
    return said[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(config_dir())))
def test_every_file_opens_with_a_comment(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if not line.startswith("# @package")]
    assert len(lines[0].removeprefix("# ")) > 20
    assert lines[0].startswith("# ")


@pytest.mark.parametrize(
    ("group", "choice"), [slow(*chosen) if chosen[1] in DEEP else chosen for chosen in CHOICES]
)
def test_every_choice_describes_a_run_and_is_called_what_it_names(group: str, choice: str) -> None:
    """Networks for images of 28x28: some cannot halve those of digits often enough."""
    if choice == "custom":
        with pytest.raises(ConfigError, match=r"^dataset.path=null: must name"):
            from_words(["dataset=custom"])
        return
    experiment = from_words([f"{group}={choice}", *(["dataset=mnist"] if group == "model" else [])])
    RunSpec.from_experiment(experiment)
    if group in ("dataset", "model", "optimizer", "rewind"):
        assert getattr(experiment, group).name == choice


@pytest.mark.parametrize("knob", list(knobs()), ids=lambda knob: knob.name)
def test_help_lists_every_knob_with_its_meaning(knob: Knob, run_help: str) -> None:
    assert re.search(rf"^  {re.escape(knob.name)}=", run_help, re.MULTILINE)
    assert squeezed(f"{knob.meaning}: {knob.allowed}") in squeezed(run_help)


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_help_lists_every_choice_with_its_first_line(group: str, choice: str, run_help: str) -> None:
    assert squeezed(f"{group}={choice} {choices(group)[choice]}") in squeezed(run_help)


def test_help_lists_every_arm_with_its_first_line(run_help: str) -> None:
    listed = squeezed(run_help.partition("arms (arms=[ticket,...]):")[2])
    assert listed == " ".join(f"{name} {meaning}" for name, meaning in choices(ARM).items())


def test_help_fits_80_columns(run_help: str) -> None:
    assert [line for line in run_help.splitlines() if len(line) > 80] == []


# Recipes


def test_mnist_lenet_is_the_paper_s() -> None:
    recipe = from_words(["experiment=mnist_lenet"])
    assert (recipe.dataset.name, recipe.dataset.validation) == ("mnist", 5000)
    assert recipe.model.name == "lenet_300_100"
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 1.2e-3)
    assert recipe.optimizer.schedule == "constant"
    assert (recipe.batch_size, recipe.steps, recipe.eval_every) == (60, Duration(50_000), Duration(100))
    assert (recipe.rounds, recipe.replicates, recipe.prune_rate) == (20, 5, 0.2)
    assert (recipe.pruning.scope, recipe.pruning.rates.output) == ("layerwise", 0.5)
    assert recipe.rewind_step == Duration(0)
    assert set(recipe.arms) == ARMS
    assert recipe.draws("random_reinit") == 3


def test_cifar10_conv2_is_the_paper_s() -> None:
    recipe = from_words(["experiment=cifar10_conv2"])
    assert (recipe.dataset.name, recipe.dataset.validation) == ("cifar10", 5000)
    assert recipe.model.name == "conv2"
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 2e-4)
    assert (recipe.batch_size, recipe.steps, recipe.eval_every) == (60, Duration(20_000), Duration(100))
    rates = recipe.pruning.rates
    assert [recipe.prune_rate * multiple for multiple in (rates.conv, rates.dense, rates.output)] == [
        0.1,
        0.2,
        0.1,
    ]
    assert (recipe.rounds, recipe.replicates, recipe.draws("random_reinit")) == (20, 5, 3)


@pytest.mark.parametrize(
    ("name", "steps", "rate", "conv", "dropout"),
    [
        ("conv4", 25_000, 3e-4, 0.5, 0),
        ("conv6", 30_000, 3e-4, 0.75, 0),
        ("conv2_dropout", 60_000, 3e-4, 0.5, 0.5),
        ("conv4_dropout", 75_000, 2e-4, 0.5, 0.5),
        ("conv6_dropout", 90_000, 2e-4, 0.75, 0.5),
    ],
)
def test_recipes_of_conv_nets_are_the_paper_s(
    name: str, steps: int, rate: float, conv: float, dropout: float
) -> None:
    recipe, conv2 = (from_words([f"experiment=cifar10_{net}"]) for net in (name, "conv2"))
    model = replace(conv2.model, name=name.removesuffix("_dropout"), dropout=dropout)
    pruning = replace(conv2.pruning, rates=replace(conv2.pruning.rates, conv=conv))
    optimizer = replace(conv2.optimizer, learning_rate=rate)
    assert recipe == replace(conv2, model=model, steps=Duration(steps), optimizer=optimizer, pruning=pruning)


@pytest.mark.parametrize(
    ("name", "batch_size", "steps", "rewind_step", "rate", "warmup", "drops", "init"),
    [
        ("resnet20", 128, 30_000, 0, 0.01, 0, ("20000", "25000"), "glorot"),
        ("resnet20_warmup", 128, 30_000, 0, 0.03, 20_000, ("20000", "25000"), "glorot"),
        ("resnet20_rewind", 128, 63_000, 500, 0.1, 0, ("32000", "48000"), "kaiming"),
        ("vgg16", 128, 63_000, 1000, 0.1, 0, ("32000", "48000"), "kaiming"),
        ("vgg19", 64, 112_480, 0, 0.1, 10_000, ("80ep", "120ep"), "glorot"),
    ],
)
def test_recipes_of_deep_nets_are_the_papers(
    name: str,
    batch_size: int,
    steps: int,
    rewind_step: int,
    rate: float,
    warmup: int,
    drops: tuple[str, ...],
    init: str,
) -> None:
    recipe = from_words([f"experiment=cifar10_{name}"])
    assert (recipe.dataset.name, recipe.dataset.augmentation) == ("cifar10", "crop_flip")
    assert recipe.model == Model(name.partition("_")[0], init=init)  # type: ignore[arg-type]
    assert (recipe.batch_size, recipe.steps, recipe.rewind_step) == (
        batch_size,
        Duration(steps),
        Duration(rewind_step),
    )
    assert recipe.optimizer == Optimizer(
        "momentum", rate, 0.9, 1e-4, Duration(warmup), "step", tuple(map(Duration.parse, drops))
    )
    assert (recipe.prune_rate, recipe.pruning.scope, recipe.pruning.rates.conv) == (0.2, "global", 1)
    rates = recipe.pruning.rates
    assert (rates.output, rates.shortcut) == {"resnet20_rewind": (1, 1), "vgg16": (0, 1)}.get(name, (0, 0))


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_quick_recipes_have_the_shape_of_the_full_ones(dataset: str) -> None:
    full = from_words([f"experiment={dataset}_lenet"])
    quick = from_words([f"experiment={dataset}_lenet_quick"])
    assert full.dataset.name == quick.dataset.name == dataset
    assert (quick.rounds, quick.eval_every, quick.arms) == (full.rounds, full.eval_every, full.arms)
    assert (quick.optimizer, quick.pruning, quick.batch_size) == (
        full.optimizer,
        full.pruning,
        full.batch_size,
    )
    assert (quick.replicates, quick.steps, quick.draws("random_reinit")) == (3, Duration(12_000), 1)


RACES = {
    "mnist_search_race": ("mnist_lenet_quick", [0.211, 0.056, 0.036, 0.012]),
    "cifar10_conv2_search_race": ("cifar10_conv2", [0.049]),
    "cifar10_resnet20_search_race": ("cifar10_resnet20_rewind", [0.055, 0.0074]),
}
"""Recipes of races, with the recipe that trains alike and the densities."""


@pytest.mark.parametrize("name", [slow(name) if name in DEEP else name for name in RACES])
def test_races_are_of_the_same_arms_in_trainings_of_other_recipes(name: str) -> None:
    alike, densities = RACES[name]
    race, other = (from_words([f"experiment={recipe}"]) for recipe in (name, alike))
    assert race.arms == from_words(["experiment=search_race"]).arms
    assert (race.dataset, race.optimizer, race.pruning) == (other.dataset, other.optimizer, other.pruning)
    assert (race.batch_size, race.rewind_step, race.model.name) == (
        other.batch_size,
        other.rewind_step,
        other.model.name,
    )
    if "conv2" not in name:
        assert (race.steps, race.eval_every) == (other.steps, other.eval_every)
    targets = RunSpec.from_experiment(race).targets
    found = [kept(targets[number]) / kept(targets[0]) for number in race.control_rounds]
    assert found == pytest.approx(densities, rel=0.02)
    assert all(abs(math.log(one / two)) < 0.1 for one, two in zip(found, race.claims.densities, strict=True))


def test_fashion_mnist_differs_from_mnist_in_the_data_alone() -> None:
    mnist = from_words(["experiment=mnist_lenet", "dataset=fashion_mnist"])
    assert from_words(["experiment=fashion_mnist_lenet"]) == mnist


def test_every_data_set_can_be_chosen_with_some_of_it_left_to_train_on() -> None:
    assert set(choices("dataset")) == set(DATASETS)
    for name, entry in distributed().items():
        assert from_words([f"dataset={name}"]).dataset.validation <= 0.2 * entry.train_examples

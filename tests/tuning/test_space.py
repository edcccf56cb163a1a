"""Search spaces in Hydra's syntax of sweeps."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ltr.errors import ConfigError
from ltr.tuning.space import parse


@pytest.mark.parametrize(
    ("word", "distribution"),
    [
        ("prune_rate=0.1,0.2", CategoricalDistribution(["0.1", "0.2"])),
        ("optimizer=choice(adam,sgd)", CategoricalDistribution(["adam", "sgd"])),
        ("prune_rate=interval(0.1,0.4)", FloatDistribution(0.1, 0.4)),
        (
            "optimizer.learning_rate=tag(log,interval(1e-4,1e-2))",
            FloatDistribution(1e-4, 1e-2, log=True),
        ),
        ("steps=int(interval(100,300))", IntDistribution(100, 300)),
        ("steps=int(tag(log,interval(100,300)))", IntDistribution(100, 300, log=True)),
        ("steps=range(100,300,100)", IntDistribution(100, 200, step=100)),
        ("prune_rate=range(0.1,0.5,0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("prune_rate=range(0.1,0.75,0.2)", FloatDistribution(0.1, 0.7, step=0.2)),
        ("prune_rate=range(0.5,0.1,-0.1)", FloatDistribution(0.2, 0.5, step=0.1)),
    ],
)
def test_values_are_those_of_a_sweep(word: str, distribution: object) -> None:
    space = parse([word, "batch_size=30"])
    assert [*space.knobs.values()] == [distribution]
    assert (space.fixed, space.searched) == (["batch_size=30"], [word])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("rounds=3", "no knob has several values"),
        ("prune_rate=interval(0.4,0.1)", "first number must be below the second"),
        ("steps=interval(100,300)", r"steps takes whole numbers; type 'steps=int\(interval\(100,300\)\)'$"),
        (
            "batch_size=tag(log,interval(10,60))",
            r"batch_size takes whole numbers; type 'batch_size=int\(tag\(log,interval\(10,60\)\)\)'$",
        ),
        ("model.options.blocks=interval(1,4)", r"type 'model.options.blocks=int\(interval\(1,4\)\)'$"),
        ("model=interval(1,2)", "model takes names; list them, as in model=conv2,conv4"),
        ("optimizer=adam,sgd,adam", "adam is listed twice"),
        ("prune_rate=0.2,0.1,0.20", "0.2 is listed twice"),
        ("pruning.densities=[0.5],[0.5]", r"\[0.5\] is listed twice"),
        ("prune_rate=tag(log,interval(0,0.1))", "both numbers must be above 0"),
        ("prune_rate=tag(fast,interval(0.1,0.4))", "the only tag is log"),
        ("steps=range(1,2)", "at least two values"),
        ("prune_rate=glob(*)", "list the choices"),
        ("seed=0,1", "seed cannot be searched"),
        ("dataset=digits,mnist", "dataset cannot be searched"),
        ("dataset.validation=100,200", "dataset.validation cannot be searched"),
        ("replicates=1,2", "does not change a training"),
        ("hydra/launcher=joblib", "leave it out"),
        ("prune_rat=0.1,0.2", "did you mean prune_rate"),
    ],
)
def test_wrong_words_are_refused_on_one_line(word: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        parse([word])
    assert "\n" not in str(error.value)


def test_chosen_numbers_have_four_digits_and_stay_inside() -> None:
    space = parse(["prune_rate=interval(0.12344,0.2)", "optimizer=adam,sgd", "steps=int(interval(1,9))"])
    values = {"optimizer": "sgd", "steps": 3}
    assert space.words({"prune_rate": 0.1876543, **values}) == [
        "prune_rate=0.1877",
        "optimizer=sgd",
        "steps=3",
    ]
    assert space.words({"prune_rate": 0.12344, **values})[0] == "prune_rate=0.12344"


def test_chosen_numbers_of_a_range_are_those_of_a_sweep() -> None:
    space = parse(["prune_rate=range(0.1,0.5,0.1)"])
    assert space.words({"prune_rate": 0.30000000000000004}) == ["prune_rate=0.3"]


def test_examples_have_every_value_and_every_end() -> None:
    space = parse(["prune_rate=0.1,0.2,0.4", "steps=int(interval(1,9))"])
    examples = [*space.examples()]
    assert {example["prune_rate"] for example in examples} == {"0.1", "0.2", "0.4"}
    assert {example["steps"] for example in examples} == {1, 9}
    assert len(examples) == 4

"""From words to an experiment."""

import dataclasses
from pathlib import Path

import pytest

from ltr.config.groups import choices
from ltr.config.schema import Arm, Duration, Experiment
from ltr.errors import ConfigError
from ltr.experiment import compose


def test_no_words_are_the_default_experiment() -> None:
    experiment = compose.from_words([])
    assert experiment.dataset.name == "digits"
    assert (experiment.prune_rate, experiment.rounds, experiment.replicates) == (0.2, 15, 8)
    assert set(experiment.arms) <= set(experiment.arm) == set(choices("arm"))


def test_knobs_choices_and_recipes_compose() -> None:
    experiment = compose.from_words(
        ["experiment=mnist_lenet", "replicates=2", "optimizer=sgd", "steps=20ep", "arm.random_mask.draws=2"]
    )
    assert (experiment.dataset.name, experiment.replicates) == ("mnist", 2)
    assert (experiment.optimizer.name, experiment.optimizer.learning_rate) == ("sgd", 0.1)
    assert experiment.steps == Duration(20, "ep")
    assert (experiment.draws("random_reinit"), experiment.draws("random_mask")) == (3, 2)


def test_null_and_lists_are_taken_as_hydra_takes_them() -> None:
    experiment = compose.from_words(["devices=null", "arms=[ticket,one_shot]", "pruning.rates.conv=0.5"])
    assert experiment.devices is None
    assert experiment.arms == ("ticket", "one_shot")
    assert experiment.pruning.rates.conv == 0.5


def test_a_value_that_refers_to_nothing_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^seed: Interpolation key 'nothing' not found$"):
        compose.from_words(["seed=${nothing}"])


def test_values_may_refer_to_others() -> None:
    assert compose.from_words(["seed=7", "replicates=${seed}"]).replicates == 7


def test_a_schedule_of_drops_needs_drops() -> None:
    with pytest.raises(ConfigError, match=r"^optimizer\.schedule=step: needs optimizer\.drops, as in "):
        compose.from_words(["optimizer.schedule=step"])
    words = ["optimizer.schedule=step", "optimizer.drops=[500,1ep]"]
    assert compose.from_words(words).optimizer.drops == (Duration(500), Duration(1, "ep"))


@pytest.mark.parametrize("word", ["prune_rate=[0.2", "seed=${nothing}", "prune_rate=a b: c"])
def test_what_hydra_refuses_is_said_on_one_line(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose.from_words([word])
    assert "\n" not in str(caught.value)


def test_the_defaults_are_those_of_the_schema() -> None:
    composed, schema = compose.from_words([]), Experiment()
    assert composed == dataclasses.replace(schema, arm=composed.arm)
    assert schema.arm.items() <= composed.arm.items()


def test_an_arm_may_be_defined_by_a_word() -> None:
    composed = compose.from_words(["+arm.loud={noise:2,keep_signs:true}", "arms=[ticket,loud]"])
    assert composed.arm["loud"] == Arm(noise=2, keep_signs=True)


def test_a_file_that_changes_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "arm" / "loud.yaml"
    file.parent.mkdir()
    monkeypatch.setenv("LTR_CONFIG_DIR", str(tmp_path))
    for noise in (1, 2):
        file.write_text(f"noise: {noise}\n")
        assert compose.from_words(["arms=[ticket,loud]"]).arm["loud"] == Arm(noise=noise)

"""Messages that point at what a command line sets, and those that do not."""

import pytest

from tests.fuzzing.naming import points_at


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("ltr plan: rounds=-1: must be a whole number >= 0", ["rounds=-1"]),
        ("ltr plan: optimizer.drops: must be a list", ["optimizer.drops=7"]),
        ("batch_size=9: must be at most 5 with dataset.validation=4", ["dataset.validation=4"]),
        ("seed=[1,x: [ is never closed", ["seed=[1,x"]),
        ("dataset=custom: needs a path", ["dataset.name=custom"]),
        ("dataset.validation=5000: must be smaller", ["dataset=mnist"]),
        ("optimizer.weight_decay=0.0001: must be 0", ["experiment=cifar10_resnet20_rewind"]),
        ("arm.frozen.pruned=frozen: must be zero", ["arms=[ticket,frozen]"]),
    ],
)
def test_a_name_that_a_word_or_its_file_sets(message: str, words: list[str]) -> None:
    assert points_at(message, words)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("seed=-1: must be a whole number", ["rounds=-1"]),
        ("must name a data set", ["dataset.name=9"]),
        ("all rates are 0", ["optimizer.learning_rate=0", "lr=0"]),
        ("must be fewer than 5 steps", ["steps=4"]),
        ("eval_every_n=1: unknown knob", ["eval_every=1"]),
        ("model.options=1: holds knobs", ["model=conv2"]),
        ("optimizer.learning_rate.x=1: unknown knob", ["optimizer.learning_rate=1"]),
        ("arm.rigl.pruned=frozen: must be zero", ["arms=[ticket,frozen]"]),
    ],
)
def test_a_name_that_no_word_sets(message: str, words: list[str]) -> None:
    assert not points_at(message, words)

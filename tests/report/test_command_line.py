"""The command that repeats a run."""

import shlex

from ltr.config.schema import Dataset
from ltr.experiment.compose import from_words
from ltr.report.command_line import command
from ltr.store.settings import settings


def test_it_defines_arms_that_are_not_ltr_s() -> None:
    asked = from_words(["+arm.mine={noise:2,weights:reinit}", "arms=[ticket,mine,random_reinit]"])
    program, run, *words = shlex.split(command(settings(asked), asked.dataset))
    assert (program, run) == ("ltr", "run")
    assert from_words(words) == asked
    assert [word for word in words if "arm.mine" in word] == [
        "++arm.mine.weights=reinit",
        "++arm.mine.noise=2.0",
    ]


def test_a_shell_takes_it_as_it_was_meant() -> None:
    settings = {
        "rounds": 3,
        "arms": ["ticket", "one_shot"],
        "early_bird": True,
        "ticket": None,
    }
    data = Dataset("custom", path="pictures/it's; $mine.npz", layout="channels_first")
    assert shlex.split(command(settings, data)) == [
        *("ltr", "run", "rounds=3", "arms=[ticket,one_shot]", "early_bird=true", "ticket=null"),
        "dataset.path=it's; $mine.npz",
        "dataset.layout=channels_first",
    ]

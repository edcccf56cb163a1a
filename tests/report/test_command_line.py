"""The command that repeats a run."""

import shlex

from ltr.config.schema import Dataset
from ltr.report.command_line import command


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

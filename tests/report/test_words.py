"""The command that repeats a run."""

import shlex

from ltr.report.words import command


def test_a_shell_takes_it_as_it_was_meant() -> None:
    settings = {
        "rounds": 3,
        "arms": ["ticket", "one_shot"],
        "early_bird": True,
        "ticket": None,
    }
    assert shlex.split(command(settings, "/home/me/it's; $mine.npz")) == [
        *("ltr", "run", "rounds=3", "arms=[ticket,one_shot]", "early_bird=true", "ticket=null"),
        "dataset.path=it's; $mine.npz",
    ]

"""The command that repeats a run."""

import shlex

from ltr.report.words import command


def test_a_shell_takes_it_as_it_was_meant() -> None:
    settings = {
        "rounds": 3,
        "arms": ["ticket", "one_shot"],
        "early_bird": True,
        "dataset.path": "it's; $mine.npz",
        "devices": None,
        "output_root": "here",
    }
    assert shlex.split(command(settings)) == [
        *("ltr", "run", "rounds=3", "arms=[ticket,one_shot]", "early_bird=true"),
        *("dataset.path=it's; $mine.npz", "devices=null"),
    ]

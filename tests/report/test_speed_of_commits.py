"""The table of `ltr bench --against`."""

from ltr.report.speed_of_commits import table

ROW = {
    "density": 1.0,
    "program": "dense",
    "here": 12.5,
    "there": 5.0,
    "ratio": 2.5,
    "least": 2.0,
    "most": 3.25,
}
BENCHMARK = {
    "network": "Conv-2 on CIFAR-10",
    "setting": "batch 60, adam",
    "machine": {"processor": "P" * 70, "cores": 2},
    "against": "8d457bc",
    "turns": 5,
    "rows": [ROW, ROW | {"density": 0.036, "program": "packed", "here": 25203.0}],
}


def test_the_table_says_both_speeds_and_the_spread_of_their_ratio() -> None:
    lines = table(BENCHMARK).splitlines()
    assert max(map(len, lines)) <= 80
    assert "Conv-2 on CIFAR-10, batch 60, adam" in lines
    assert lines[-5].split() == ["density", "this", "tree", "8d457bc", "ratio", "least", "most"]
    assert lines[-4].split() == ["100", "%", "dense", "12", "5.00", "2.50", "2.00", "3.25"]
    assert lines[-3].split() == ["3.6", "%", "packed", "25,203", "5.00", "2.50", "2.00", "3.25"]
    assert lines[-1] == "Medians of 5 turns. Ratio: this tree to 8d457bc in a turn."

"""`ltr bench --all`: the networks, their shares of the time, and what is left out when it is over."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ltr.benchmark import suite
from ltr.benchmark.comparison import Comparison, Row, unmeasured
from ltr.benchmark.suite import LIMIT, PLANS, compare_all
from ltr.benchmark.torch_baseline import is_known
from ltr.cli import main
from ltr.config.schema import Experiment
from ltr.experiment.compose import from_words

Captured = pytest.CaptureFixture[str]


class FakeBenchmark:
    """Measures nothing; a network takes `seconds`, of which it says the middle."""

    def __init__(self, seconds: float) -> None:
        self.now, self.until, self._seconds = 0.0, [], seconds

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def compare(
        self,
        experiment: Experiment,
        densities: Sequence[float],
        repeats: int,
        seconds: float,
        file: Path,
        on_status: Callable[[str], None],
        until: float,
    ) -> Comparison:
        """Let the time pass."""
        self.until.append(until)
        self.now += self._seconds / 2
        on_status("half")
        self.now += self._seconds / 2
        on_status("")
        rows = [Row(density, 4.0, 8.0, 2.0, 2.0, 5.0) for density in densities]
        return unmeasured(experiment)._replace(turns=repeats, rows=rows)


def run(fake: FakeBenchmark) -> tuple[list[Comparison], list[str]]:
    """Compare all networks; the comparisons and the statuses."""
    said: list[str] = []
    return [*compare_all(3, 0.5, Path(), said.append, fake.compare, fake.clock)], said


def test_networks_are_measured_as_their_experiments_train_them() -> None:
    comparisons, _ = run(FakeBenchmark(10))
    assert [(one.network, one.setting) for one in comparisons] == [
        ("LeNet-300-100 on MNIST", "batch 60, adam"),
        ("Conv-2 on CIFAR-10", "batch 60, adam"),
        ("Conv-4 on CIFAR-10", "batch 60, adam"),
        ("Conv-6 on CIFAR-10", "batch 60, adam"),
        ("ResNet-20 on CIFAR-10", "batch 128, momentum"),
        ("VGG-16 on CIFAR-10", "batch 128, momentum"),
    ]
    assert [len(one.rows) for one in comparisons] == [6, 3, 2, 2, 2, 2]
    assert all(is_known(from_words([f"experiment={plan.experiment}"])) for plan in PLANS)


def test_a_network_that_needs_less_than_its_share_leaves_it_to_the_others() -> None:
    fake = FakeBenchmark(10)
    run(fake)
    assert fake.until[0] == pytest.approx(PLANS[0].seconds)
    assert fake.until[1] == pytest.approx(10 + (LIMIT - 10) * PLANS[1].seconds / (LIMIT - PLANS[0].seconds))
    assert fake.until[-1] == pytest.approx(LIMIT)
    assert sum(plan.seconds for plan in PLANS) == LIMIT


def test_the_time_that_is_left_is_said() -> None:
    _, said = run(FakeBenchmark(10))
    minutes, seconds = divmod(round(LIMIT) - 15, 60)
    assert said[2] == f"at most {minutes}:{seconds:02} left; cifar10_conv2 (2 of 6): half"
    assert said[1] == ""


def test_networks_for_which_no_time_is_left_have_no_turns() -> None:
    comparisons, _ = run(FakeBenchmark(LIMIT / 2.4))
    assert [one.turns for one in comparisons] == [3, 3, 0, 0, 0, 0]
    assert comparisons[2].network == "Conv-4 on CIFAR-10"
    assert comparisons[2].rows == ()


def test_it_prints_a_table_and_json(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(suite, "compare", FakeBenchmark(10).compare)
    asked: list[tuple[Any, ...]] = []

    def fake(*arguments: Any) -> list[Comparison]:
        asked.append(arguments)
        return run(FakeBenchmark(10))[0]

    monkeypatch.setattr(suite, "compare_all", fake)
    assert main(["bench", "--all", "--json", "--repeats=2"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said) == ["machine", "networks"]
    assert [network["network"] for network in said["networks"]][-1] == "VGG-16 on CIFAR-10"
    assert list(said["networks"][0]["rows"][0]) == [*Row._fields]
    assert main(["bench", "--all", "--seconds=2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "VGG-16 on CIFAR-10, batch 128, momentum; 3 turns" in lines
    assert [arguments[:2] for arguments in asked] == [(2, 0.25), (3, 2.0)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=conv2"], "model=conv2: --all has its own networks and densities; leave one of them out"),
        (
            ["--densities=1"],
            "--densities=1: --all has its own networks and densities; leave one of them out",
        ),
        (["--figure=cost.png"], "--figure=cost.png: draws neither --all nor --against"),
    ],
)
def test_words_that_do_not_go_with_it_are_one_line(words: list[str], said: str, capsys: Captured) -> None:
    assert main(["bench", "--all", *words]) == 2
    assert capsys.readouterr().err == f"ltr bench: {said}\n"


@pytest.mark.slow
def test_every_network_is_measured(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "LIMIT", 2000.0)  # the machine may be busy
    assert main(["bench", "--all", "--json", "--repeats=1", "--seconds=0.01"]) == 0
    networks = json.loads(capsys.readouterr().out)["networks"]
    assert len(networks) == len(PLANS)
    for network in networks:
        for row in network["rows"]:
            assert row["dense"] > 0
            assert row["packed"] > 0

"""The simulated cluster agrees with what can be computed by hand."""

import math
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SCRIPT = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "simulate_cluster.py")))


def simulate(**inputs: Any) -> Any:
    """Result of a cluster whose runs take 100 s each, and on which nothing else takes time unless given."""
    free = {"seconds": 100.0, "spread": 0.0, "startup": 0.0, "saving": 0.0, "queueing": 0.0}
    return SCRIPT.Simulation(SCRIPT.Cluster(**{"operations_per_second": math.inf, **free, **inputs})).run()


def test_one_worker_trains_one_run_after_another() -> None:
    result = simulate(workers=1, trainings=7, startup=5.0, saving=1.0, checkpoint_every=40.0)
    assert result.makespan == pytest.approx(7 * (5 + 100 + 3 * 1))
    assert (result.ideal, result.starting, result.saving) == (700, 35, 21)
    assert (result.lost, result.preemptions, result.stragglers) == (0, 0, 0)


def test_runs_of_one_process_share_its_start_up() -> None:
    assert simulate(workers=1, trainings=7, startup=5.0, runs_per_process=3).starting == 3 * 5


def test_workers_share_runs_and_the_last_ones_straggle() -> None:
    result = simulate(workers=4, trainings=6)
    assert (result.makespan, result.ideal, result.stragglers) == (200, 150, 100)


def test_operations_wait_for_one_another() -> None:
    result = simulate(
        workers=4, trainings=4, checkpoint_every=1e3, operations_per_run=10.0, operations_per_second=1.0
    )
    assert result.makespan == 100 + 4 * 10
    assert result.waiting == 10 + 20 + 30 + 40
    assert result.operations == 40


@pytest.mark.parametrize("interval", [10.0, 25.0])
def test_a_preemption_loses_half_an_interval(interval: float) -> None:
    result = simulate(
        workers=1, trainings=2000, checkpoint_every=interval, mean_between_preemptions=50.0, queueing=7.0
    )
    assert result.preemptions > 2000
    # For an exponential time T between preemptions, the mean of T modulo the interval.
    mean = 50 - interval / math.expm1(interval / 50)
    assert result.lost / result.preemptions == pytest.approx(mean, rel=0.05)
    assert result.lost / result.preemptions == pytest.approx(interval / 2, rel=0.15)
    assert result.queued == 7 * result.preemptions
    assert result.makespan == pytest.approx(2000 * 100 + result.lost + result.queued)


def test_with_notice_nothing_is_lost() -> None:
    result = simulate(workers=3, trainings=300, mean_between_preemptions=80.0, notice=True)
    assert result.preemptions > 100
    assert result.lost == 0
    assert result.operations > simulate(workers=3, trainings=300).operations


def test_the_script_prints_a_line_for_each_cluster_and_change(capsys: pytest.CaptureFixture[str]) -> None:
    assert SCRIPT.main(["--trainings", "200"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 4 * 6
    assert {line.count("|") for line in lines} == {11}

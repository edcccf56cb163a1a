"""When a run chooses the layers that it trains packed."""

from pathlib import Path

import pytest

from ltr import kernels
from ltr.config.schema import Experiment
from ltr.engine import break_even
from ltr.experiment import loop
from ltr.experiment.runtimes import open_session
from ltr.experiment.spec import RunSpec
from ltr.store.opening import open_run
from tests.experiment.runs import Watcher, ask

pytestmark = pytest.mark.skipif(kernels.instruction_set() is None, reason="built without a C++ compiler")

MEASURED = {"dense_1": 0.5, "dense_2": 0.25, "output": 0.0}


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The rounds that are done at each measurement of break-even densities; none is known before."""
    done: list[list[int]] = []

    def densities(*_: object) -> dict[str, float]:
        done.append([*Noting.latest.committed])
        return MEASURED

    monkeypatch.setattr(break_even, "densities", densities)
    monkeypatch.setattr(break_even, "are_known", lambda *_: False)
    return done


class Noting(Watcher):
    """The watcher of the session under way."""

    latest: Watcher

    def __init__(self) -> None:
        super().__init__()
        Noting.latest = self


def train(experiment: Experiment) -> None:
    with open_run(experiment) as folder:
        watcher = Noting()
        session = open_session(RunSpec.from_experiment(experiment), folder, str)
        folder.begin(experiment, {}, session.runtime.trainer.packed)
        loop.run(session, watcher)


@pytest.mark.slow
def test_before_the_program_of_the_first_round_that_could_be_packed(
    committed: list[list[int]], tmp_path: Path
) -> None:
    """Densities are 100, 70, 49 and 34 %; that of round 2 compiles while round 1 trains."""
    short = {"prune_rate": 0.3, "replicates": 1, "arms": ["ticket"], "steps": 4, "eval_every": 4}
    train(ask(tmp_path, rounds=0, **short))
    assert committed == []
    train(ask(tmp_path, rounds=3, **short))
    assert committed == [[]]
    with open_run(ask(tmp_path, rounds=3, **short)) as folder:
        assert folder.first_choices.packed == MEASURED
        assert [session["packed"] for session in folder.facts["sessions"]] == [{}, MEASURED]
    train(ask(tmp_path, rounds=4, **short))
    assert committed == [[]]


@pytest.mark.slow
def test_before_lanes_whose_densities_are_not_known_ahead(committed: list[list[int]], tmp_path: Path) -> None:
    """With one target for all layers, pruning itself decides how sparse each gets."""
    knobs = {"rounds": 2, "replicates": 1, "arms": ["ticket"], "steps": 4, "eval_every": 4}
    pruning = {"scope": "global", "rates": {"output": 1.0}}
    train(ask(tmp_path, pruning=pruning, prune_rate=0.6, **knobs))
    assert committed == [[0]]

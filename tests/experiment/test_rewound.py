"""Where rounds start from when they do not start from the initial weights."""

from pathlib import Path

import pytest

from ltr.core import masks
from ltr.store import tables
from ltr.store.folder import round_name
from tests.experiment.runs import Run, assert_same, saved
from tests.marks import slow


def test_every_round_starts_from_the_dense_training_at_the_rewind_step(run: Run, tmp_path: Path) -> None:
    late = run(tmp_path, rewind_step=10, replicates=1)
    dense = saved(run(tmp_path, steps=10, rounds=0, replicates=1), "round_00")["trained"]
    for round_number in (1, 2):
        ticket = saved(late, round_name(round_number))
        assert_same(ticket["start"], masks.apply(ticket["mask"], dense))
    first = saved(late, "initial")
    assert_same(saved(late, "round_00")["start"], first["initial"])
    assert_same(first["origin"], dense)


def test_later_rounds_are_trained_from_the_rewind_step_on(run: Run, tmp_path: Path) -> None:
    metrics = tables.read(run(tmp_path, rewind_step=10, replicates=1, rounds=1), "metrics")
    by_round = {round_number: sorted(set(rows["step"])) for round_number, rows in metrics.groupby("round")}
    assert by_round == {0: [0, 20, 40], 1: [10, 20, 40]}


@pytest.mark.parametrize(
    ("name", "steps"),
    [("learning_rate", [10, 20, 40]), ("fine_tune", [40, 60, 70]), slow("continued", [0, 20, 40])],
)
def test_trained_weights_go_on(name: str, steps: list[int], run: Run, tmp_path: Path) -> None:
    knobs = {"rewind": {"name": name}, "replicates": 1, "rounds": 1, "arms": ["ticket", "one_shot"]}
    path = run(tmp_path, **knobs, rewind_step=0 if name == "continued" else 10)
    before, ticket = saved(path, "round_00"), saved(path, "round_01")
    assert_same(ticket["start"], masks.apply(ticket["mask"], before["trained"]))
    metrics = tables.read(path, "metrics").query("round == 1")
    assert sorted(set(metrics["step"])) == steps
    one, other = (rows["val_loss"].tolist() for _, rows in metrics.groupby("arm"))
    assert one == other, "in round 1 one-shot is the ticket"

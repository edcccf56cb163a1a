"""`ltr plan`: what `ltr run` with the same words would do."""

import contextlib
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ltr.cli import main
from ltr.config.schema import to_dict
from ltr.core import machine
from ltr.engine import speed
from ltr.engine.devices import Placement
from ltr.experiment import plan as planned
from ltr.experiment.compose import from_words
from ltr.store.folder import RunFolder
from ltr.store.identity import run_id
from ltr.store.settings import with_requested_arms
from tests.marks import slow

Captured = pytest.CaptureFixture[str]
SCHEMA = {
    "id": str,
    "folder": str,
    "beyond_defaults": dict,
    "settings": dict,
    "configuration": dict,
    "looks": list,
    "weights": int,
    "rounds": list,
    "densities": list,
    "trainings": int,
    "steps": int,
    "seconds": int,
    "at_a_time": int,
    "bytes": int,
    "memory": dict,
    "available": int,
}


@pytest.fixture(scope="module")
def plan() -> Callable[..., dict[str, Any]]:
    """The JSON of a plan; each is made once."""

    @cache
    def plan(*words: str) -> dict[str, Any]:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            assert main(["plan", "--json", *words]) == 0
        return dict(json.loads(said.getvalue()))

    return plan


Plan = Callable[..., dict[str, Any]]


def test_the_schema_does_not_drift(plan: Plan) -> None:
    said = plan()
    assert list(said) == list(SCHEMA)
    assert {name: type(value) for name, value in said.items()} == SCHEMA


def test_densities_of_controls_are_named_if_they_are_not_all(plan: Plan) -> None:
    some, every = (
        planned.Plan(**plan(*words)).facts() for words in (["rounds=3", "control_rounds=[1,3]"], [])
    )
    assert some["controls"] == "at 80.20, 51.63 %"
    assert "controls" not in every


def test_the_default_is_488_trainings(plan: Plan) -> None:
    said = plan()
    assert said["trainings"] == 8 + 15 * 8 * 4
    assert said["steps"] == 488 * 1500
    assert said["weights"] == 64 * 300 + 300 * 100 + 100 * 10
    assert said["seconds"] > 0
    assert said["bytes"] > 0


def test_it_has_the_id_and_configuration_of_the_run(plan: Plan) -> None:
    words = ["seed=4", "optimizer=sgd", "output_root=elsewhere"]
    said, experiment = plan(*words), from_words(words)
    assert said["id"] == run_id(experiment)
    assert said["folder"] == f"elsewhere/digits-lenet_300_100-{said['id']}"
    assert said["configuration"] == to_dict(with_requested_arms(experiment))
    assert set(said["configuration"]["arm"]) == set(experiment.arms)
    assert said["beyond_defaults"]["seed"] == 4
    assert "output_root" not in said["beyond_defaults"]


def test_densities_are_those_that_a_run_ends_up_with(plan: Plan, finished: Any) -> None:
    (folder,) = finished.root.iterdir()
    assert plan("rounds=1")["densities"] == [*RunFolder(folder).frames["results"]["density"].unique()]


@pytest.mark.parametrize("scope", ["global", slow("uniform"), slow("erk")])
def test_one_shot_to_a_density_is_one_round(scope: str, plan: Plan) -> None:
    said = plan(f"pruning={scope}", "pruning.densities=[0.05]")
    assert said["densities"] == [1, 0.05]
    assert said["trainings"] == 8 + 8 * 4


def test_mnist_is_planned_without_its_data(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "nothing"))
    said = plan("experiment=mnist_lenet")
    assert said["weights"] == 266_200
    assert said["trainings"] == 5 + 20 * 5 * (1 + 3 + 1 + 1)
    assert [round(100 * density, 1) for density in said["densities"][:8]] == [
        100.0, 80.0, 64.1, 51.3, 41.1, 32.9, 26.3, 21.1,
    ]  # fmt: skip
    assert not (tmp_path / "nothing").exists()


def test_training_from_a_later_step_is_shorter(plan: Plan) -> None:
    assert plan("rewind_step=500", "rounds=1", "replicates=1")["steps"] == 1500 + 4 * 1000


def test_a_device_may_train_several_lanes(plan: Plan) -> None:
    words = ("devices=1", "replicates=4", "sparse=never")
    one, several = (plan(*words, f"lanes_per_device={count}")["memory"] for count in (1, 4))
    assert several["of_device"] - several["data"] == 4 * (several["state"] + several["temporaries"])
    assert (one["data"], one["state"]) == (several["data"], several["state"])


def test_it_makes_no_folder(root: Path, plan: Plan) -> None:
    plan(f"output_root={root}", "rounds=1")
    assert not root.exists()


def test_text_fits_80_columns(capsys: Captured) -> None:
    assert main(["plan", "seed=1"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert [line for line in said.out.splitlines() if len(line) > 80] == []
    for fact in ("seed=1", "488", "732,000", "100.00", "50,200", "about ", "memory     about "):
        assert fact in said.out


def test_a_wrong_knob_is_one_line(capsys: Captured) -> None:
    assert main(["plan", "rounds=-1"]) == 2
    assert capsys.readouterr() == ("", "ltr plan: rounds=-1: must be a whole number >= 0\n")


def test_auto_says_after_how_many_replicates_it_looks(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan("replicates=auto", "claims.most=10")["looks"] == [5, 8, 10]
    assert plan()["looks"] == []
    assert main(["plan", "replicates=auto"]) == 0
    assert (
        "looks      after 5, 8, 13, 20, 30 replicates, until the claims are decided"
        in capsys.readouterr().out
    )
    assert main(["plan", "replicates=auto", "rewind=fine_tune"]) == 2


class TestWhereMemoryIsShort:
    """As with a run, as many trainings as fit take place side by side; if none fits, it is refused."""

    WORDS = ("rounds=1", "replicates=2", "arms=[ticket]")

    def test_it_shows_the_trainings_that_fit(self, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
        devices_measured: list[int] = []
        meter = speed.flops_meter

        def of_devices(placement: Placement) -> Callable[[], float]:
            devices_measured.append(len(placement.devices))
            return meter(placement)

        monkeypatch.setattr(speed, "flops_meter", of_devices)
        assert main(["plan", "--json", *self.WORDS]) == 0
        both = json.loads(capsys.readouterr().out)
        monkeypatch.setattr(machine, "memory", lambda: both["bytes"] - 1)
        assert main(["plan", "--json", *self.WORDS]) == 0
        printed = capsys.readouterr()
        one = json.loads(printed.out)
        assert printed.err.startswith("ltr: trains 1 lane side by side, not 2: devices=2")
        assert (both["at_a_time"], one["at_a_time"]) == (2, 1)
        lane = 3 * both["memory"]["state"] + both["memory"]["temporaries"]
        assert one["bytes"] == both["bytes"] - lane
        assert devices_measured == [2, 1]

    def test_it_refuses_what_a_run_refuses(self, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
        monkeypatch.setattr(machine, "memory", lambda: 1)
        assert main(["plan", *self.WORDS]) == 2
        refusal = capsys.readouterr().err
        assert refusal.startswith("ltr plan: devices=1, lanes_per_device=1: needs about")
        assert main(["plan", "check_memory=false", *self.WORDS]) == 0

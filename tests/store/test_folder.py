"""The run folder: rounds are committed whole, and what is lost is forgotten."""

import dataclasses
import json
import logging
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from ltr.config.origins import Request
from ltr.config.parse import parse
from ltr.config.schema import Experiment, to_dict
from ltr.core import machine
from ltr.errors import ConfigError, LtrError
from ltr.store import archive, checkpoints, tables
from ltr.store.folder import RunFolder
from ltr.store.identity import run_id
from ltr.store.opening import open_run
from ltr.store.settings import extent
from ltr.store.tables import LaneId
from tests.store.conftest import DEVICES, LANES, finish, rows


def test_run_json_that_is_damaged_while_the_run_trains_is_written_whole(
    experiment: Experiment, path: Path
) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        whole = json.loads((path / "run.json").read_text())
        (path / "run.json").write_text("{")
        folder.describe(status="finished")
    said = json.loads((path / "run.json").read_text())
    assert said | {"checksum": "", "status": ""} == whole | {"checksum": "", "status": ""}
    assert said["status"] == "finished"


def test_run_json_says_what_the_run_is(experiment: Experiment, path: Path) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        folder.describe(status="finished", seconds=4.0)
    said = json.loads((path / "run.json").read_text())
    assert said["id"] == run_id(experiment)
    assert said["schema_version"] == 5
    assert (said["status"], said["seconds"]) == ("finished", 4.0)
    (session,) = said["sessions"]
    assert session["devices"] == DEVICES
    assert {"ltr", "python", "jax", "jaxlib", "numpy"} <= set(session["versions"])
    assert parse(yaml.safe_load((path / "config.yaml").read_text())) == experiment


def test_a_session_says_what_was_typed_where_and_on_what(experiment: Experiment) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {}, Request(["rounds=1", "arms=[ticket]"], {}))
        session, said = folder.facts["sessions"][0], folder.facts
    assert session["command"] == "ltr run rounds=1 'arms=[ticket]'"
    assert session["requested"] == extent(experiment)
    assert session["host"] == platform.node()
    assert session["processor"] == machine.processor()
    assert session["commit"] == machine.commit()
    assert said["settings"] == {"rounds": 1, "replicates": 2}


def test_the_record_never_shrinks(experiment: Experiment, path: Path) -> None:
    fewer_rounds = dataclasses.replace(experiment, rounds=0, replicates=5, arms=("ticket",))
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        folder.begin(fewer_rounds, DEVICES, {})
        rounds = [session["requested"]["rounds"] for session in folder.facts["sessions"]]
    recorded = parse(yaml.safe_load((path / "config.yaml").read_text()))
    assert (recorded.rounds, recorded.replicates, recorded.arms) == (1, 5, experiment.arms)
    assert rounds == [1, 0]


def test_only_a_command_that_asks_for_as_much_ends_a_session(experiment: Experiment) -> None:
    less = dataclasses.replace(experiment, replicates=1)
    with open_run(experiment) as folder:
        assert folder.is_ended_by(less), "nothing began yet"
        folder.begin(experiment, DEVICES, {})
        assert not folder.is_ended_by(less)
        assert folder.is_ended_by(experiment)
        folder.describe(status="finished")
        assert not folder.is_ended_by(experiment)


def test_run_json_lists_every_session(experiment: Experiment) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        folder.begin(experiment, {"platform": "gpu"}, {})
        sessions = folder.facts["sessions"]
    assert [session["devices"] for session in sessions] == [DEVICES, {"platform": "gpu"}]
    assert sessions[0]["began"] <= sessions[1]["began"]


ARITHMETIC: dict[str, Any] = {
    "tiles": {"conv_1": 4},
    "fused": ("dense_1",),
    "batch_norms": ("norm_1",),
    "conv_form": "patches",
}
NONE: dict[str, Any] = {"tiles": {}, "fused": (), "batch_norms": (), "conv_form": "grouped"}


def arithmetic(folder: RunFolder) -> dict[str, Any]:
    return {name: getattr(folder.first_choices, name) for name in ARITHMETIC}


def test_the_arithmetic_is_that_of_the_first_session(experiment: Experiment) -> None:
    with open_run(experiment) as folder:
        assert folder.first_choices.tiles is None
        folder.begin(dataclasses.replace(experiment, arithmetic="xla"), DEVICES, {})
        assert arithmetic(folder) == NONE, "which later sessions keep"
        folder.begin(experiment, DEVICES, {}, **ARITHMETIC)
        assert arithmetic(folder) == NONE
        assert [session["fused"] for session in folder.facts["sessions"]] == [[], ["dense_1"]]
        assert [session["batch_norms"] for session in folder.facts["sessions"]] == [[], ["norm_1"]]
        assert [session["winograd"] for session in folder.facts["sessions"]] == [{}, {"conv_1": 4}]


def test_a_choice_of_arithmetic_is_kept(experiment: Experiment) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {}, **ARITHMETIC)
        folder.begin(experiment, DEVICES, {})
        assert arithmetic(folder) == ARITHMETIC


@pytest.mark.parametrize("name", ["fused", "batch_norms", "conv_form"])
def test_a_run_begun_before_a_part_of_the_arithmetic_was_recorded_has_none(
    name: str, experiment: Experiment
) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {}, **ARITHMETIC)
        facts = {key: value for key, value in folder.facts.items() if key != name}
        (folder.path / "run.json").write_text(json.dumps(facts))
        assert arithmetic(RunFolder(folder.path)) == ARITHMETIC | {name: NONE[name]}


def test_what_ltr_chose_to_pack_is_kept_for_later_sessions(experiment: Experiment) -> None:
    with open_run(experiment) as folder:
        assert folder.first_choices.packed is None
        folder.begin(dataclasses.replace(experiment, sparse="never"), DEVICES, {})
        assert folder.first_choices.packed is None, "asked for, not chosen"
        folder.begin(experiment, DEVICES, {"output": 0.5})
        folder.begin(experiment, DEVICES, {"output": 0.25})
        assert folder.first_choices.packed == {"output": 0.5}
        assert [session["packed"] for session in folder.facts["sessions"]] == [
            {},
            {"output": 0.5},
            {"output": 0.25},
        ]


def test_what_ltr_chose_to_pack_within_a_session_is_recorded_there(experiment: Experiment) -> None:
    with open_run(experiment) as folder:
        for packed in ({}, {"output": 0.5}, {"output": 0.25}):
            folder.begin(experiment, DEVICES, {})
            folder.record_packed(packed)
        assert folder.first_choices.packed == {"output": 0.5}
        assert [session["packed"] for session in RunFolder(folder.path).facts["sessions"]] == [
            {},
            {"output": 0.5},
            {"output": 0.25},
        ]


def test_run_json_is_replaced_whole_or_not_at_all(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError("no space left on device")

    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        before = folder.facts
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            folder.describe(status="finished")
        assert folder.facts == before


def test_a_damaged_run_json_is_written_anew(experiment: Experiment, path: Path) -> None:
    path.mkdir(parents=True)
    (path / "run.json").write_text('{"id": "0123')
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        assert folder.facts["id"] == run_id(experiment)


def test_a_damaged_table_is_one_clear_error(experiment: Experiment, path: Path) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        finish(folder)
    (path / "metrics.parquet").write_bytes(b"PAR1")
    with pytest.raises(LtrError, match=r"metrics\.parquet: damaged; lost: "), open_run(experiment):
        pass
    assert (path / "run.json").exists()


def test_committed_lanes_are_finished(experiment: Experiment, path: Path) -> None:
    with open_run(experiment) as folder:
        finish(folder)
        assert folder.finished == set(LANES)
    again = RunFolder(path)
    assert again.finished == set(LANES)
    assert again.seconds == 2.0 * len(LANES)


@pytest.mark.parametrize("torn", ["metrics", "timings", "results"])
def test_a_kill_between_two_tables_leaves_the_round_undone(
    torn: str, experiment: Experiment, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = tables.write

    def kill(folder: Path, name: str, frame: pd.DataFrame) -> None:
        if name == torn:
            raise KeyboardInterrupt
        write(folder, name, frame)

    with open_run(experiment) as folder:
        finish(folder, LANES[:2])
        monkeypatch.setattr(tables, "write", kill)
        with pytest.raises(KeyboardInterrupt):
            finish(folder, LANES[2:])
    again = RunFolder(path)
    assert again.finished == set(LANES[:2])
    for frame in again.frames.values():
        assert set(frame["round"]) == {0}


def test_tickets_whose_checkpoint_is_lost_are_forgotten(
    experiment: Experiment, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_run(experiment) as folder:
        finish(folder)
        folder.commit(rows([LaneId(1, 0, "one_shot", 0)]))
    checkpoints.remove(path / "checkpoints" / "round_01" / "0-1.zip")
    with caplog.at_level(logging.WARNING, "ltr"):
        again = RunFolder(path)
    assert ["round_01: missing; lost: the tickets" in line for line in caplog.messages] == [True]
    assert again.finished == {*LANES[:2], LaneId(1, 0, "one_shot", 0)}
    for frame in again.frames.values():
        assert set(frame[frame["arm"] == "ticket"]["round"]) == {0}


def test_tickets_whose_checkpoint_is_damaged_are_forgotten(
    experiment: Experiment, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_run(experiment) as folder:
        finish(folder)
    saved = path / "checkpoints" / "round_01" / "0-1.zip"
    saved.write_bytes(saved.read_bytes()[:-1])
    with caplog.at_level(logging.WARNING, "ltr"):
        assert RunFolder(path).finished == set(LANES[:2])
    assert ["0-1.zip: damaged; lost: the tickets" in line for line in caplog.messages] == [True]
    assert saved.with_name("0-1.zip.damaged").is_file()


def under_way(folder: RunFolder) -> Any:
    saved = folder.load_under_way()
    return saved and (saved[0]["x"].tolist(), saved[1])


def test_a_checkpoint_inside_a_round_lasts_until_the_round_is_committed(
    experiment: Experiment, path: Path
) -> None:
    with open_run(experiment) as folder:
        assert under_way(folder) is None
        folder.save_under_way({"x": np.arange(2)}, {"seconds": 1.0})
        folder.save_under_way({"x": np.arange(3)}, {"seconds": 2.0})
        assert under_way(RunFolder(path)) == ([0, 1, 2], {"seconds": 2.0})
        finish(folder)
        assert under_way(RunFolder(path)) is None


def test_a_checkpoint_inside_a_round_of_an_earlier_version_is_a_folder(
    experiment: Experiment, path: Path
) -> None:
    with open_run(experiment) as folder:
        folder.save_under_way({"x": np.arange(2)}, {"seconds": 1.0})
        packed = path / "checkpoints" / "under_way.zip"
        archive.unpack(packed, earlier := packed.with_suffix(""))
        packed.unlink()
        assert under_way(RunFolder(path)) == ([0, 1], {"seconds": 1.0})
        folder.save_under_way({"x": np.arange(3)}, {"seconds": 2.0})
        assert not earlier.exists()
        earlier.mkdir()  # as of a process killed between the two
        assert under_way(RunFolder(path)) == ([0, 1, 2], {"seconds": 2.0})
        finish(folder)
        assert not earlier.exists()


def test_a_damaged_checkpoint_inside_a_round_is_not_used(
    experiment: Experiment, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_run(experiment) as folder:
        folder.save_under_way({"x": np.arange(2)}, {"seconds": 1.0})
        (path / "checkpoints" / "under_way.zip").write_bytes(b"")
        assert under_way(folder) is None
    (said,) = caplog.messages
    assert "under_way.zip: damaged; lost: the state inside a round; " in said


def test_the_folder_holds_the_whole_configuration(experiment: Experiment, path: Path) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
    assert yaml.safe_load((path / "config.yaml").read_text()) == to_dict(experiment)


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        (
            r"^arm\.one_shot\.noise=0\.5: .* was trained with 0\.0; define another arm$",
            {"arm": {**to_dict(Experiment())["arm"], "one_shot": {"mask": "one_shot", "noise": 0.5}}},
        ),
        (
            r"config\.yaml: has optimizer\.momentum=0\.9, this command of the same id 0\.8; it is damaged",
            {"optimizer": {"momentum": 0.8}},
        ),
    ],
)
def test_what_was_trained_with_other_settings_is_not_taken_for_the_same(
    said: str, changed: dict[str, Any], experiment: Experiment
) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        finish(folder, [lane._replace(arm="one_shot") for lane in LANES])
        folder.require_same(experiment)
        other = parse(to_dict(experiment) | changed)
        with pytest.raises(ConfigError, match=said):
            folder.require_same(other)


def test_an_arm_that_was_not_trained_may_be_defined_anew(experiment: Experiment) -> None:
    arms = {**to_dict(Experiment())["arm"], "one_shot": {"noise": 0.5}}
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        finish(folder)
        folder.require_same(parse(to_dict(experiment) | {"arm": arms}))


def test_the_configuration_defines_every_arm_that_was_asked_for_and_no_other(
    experiment: Experiment, path: Path
) -> None:
    defined = {**to_dict(experiment)["arm"], "loud": {"noise": 2.0}, "silent": {}}
    asked = to_dict(experiment) | {"arm": defined}
    first, second = (parse(asked | {"arms": ["ticket", arm]}) for arm in ("loud", "random_mask"))
    with open_run(experiment) as folder:
        folder.begin(first, DEVICES, {})
        folder.begin(second, DEVICES, {})
        assert folder.requested is not None
        assert folder.requested.arms == ("ticket", "loud", "random_mask")
        assert folder.requested.arm == {name: second.arm[name] for name in folder.requested.arms}


def test_a_configuration_of_an_older_release_defines_every_arm_there_was(
    experiment: Experiment, path: Path
) -> None:
    older = parse(to_dict(experiment) | {"arm": {**to_dict(experiment)["arm"], "loud": {"noise": 2.0}}})
    with open_run(experiment) as folder:
        (path / "config.yaml").write_text(yaml.safe_dump(to_dict(older)))
        finish(folder)
        folder.require_same(experiment)
        assert folder.recorded(experiment).arms == experiment.arms
        folder.begin(experiment, DEVICES, {})
        assert folder.requested == experiment


def test_a_run_that_lost_both_descriptions_says_so(
    experiment: Experiment, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_run(experiment) as folder:
        folder.begin(experiment, DEVICES, {})
        assert caplog.messages == []
        finish(folder)
        for name in ("run.json", "config.yaml"):
            (path / name).unlink()
        folder.begin(experiment, DEVICES, {})
    assert ["neither run.json nor config.yaml is there" in line for line in caplog.messages] == [True]


def test_lanes_that_an_older_copy_of_a_table_lacks_are_named(
    experiment: Experiment, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_run(experiment) as folder:
        finish(folder, LANES[:2])
        older = (path / "metrics.parquet").read_bytes()
        finish(folder, LANES[2:])
    (path / "metrics.parquet").write_bytes(older)
    caplog.clear()
    assert RunFolder(path).finished == set(LANES[:2])
    (said,) = caplog.messages
    assert said == (
        f"{path / 'metrics.parquet'}: lacks 2 lanes of the results; the command of the run trains them again"
    )

"""The measurement for machines with a GPU, small and on the CPU, so that it works when there is one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ltr.engine.program import Metrics
from ltr.engine.running_batch import Outcome
from ltr.experiment.compose import from_words
from ltr.models.conv_forms import FORMS
from scripts import gpu, gpu_parts
from scripts.gpu import Found, Part
from scripts.gpu_parts import Options

ROOT = Path(__file__).parents[1]
KNOBS = ("dataset=digits", "model.width=0.05", "batch_size=4")
TINY = Options(lanes=(1, 2), conv_lanes=(2,), seconds=0.0, turns=1, knobs=KNOBS)


def row(what: str, lanes: int, speed: float | None, **memory: int) -> dict[str, Any]:
    return {
        "what": what,
        "lanes": lanes,
        "steps_per_second": speed,
        "estimated": None,
        "reported": None,
    } | memory


def test_the_table_has_the_last_of_each_row_and_fits_80_columns() -> None:
    found = Found()
    found.add({"machine": {"processor": "p", "torch": None}})
    for speed in (None, 1234.5):
        found.add(row("LeNet-300-100, evaluated", 512, speed, estimated=3 << 30, reported=2 << 30))
    found.add(row("conv2 step, lane_by_lane", 16, None))
    found.add({"notes": {"ltr run": "a sentence of many words " * 5}})
    lines = found.text().splitlines()
    assert lines[0].split() == ["processor", "p"]
    assert lines[2].split() == ["trained", "lanes", "steps/s", "estimated", "reported"]
    assert lines[3].split("  ")[0] == "LeNet-300-100, evaluated"
    assert lines[3].split()[-6:] == ["512", "1,234", "3.0", "GiB", "2.0", "GiB"]
    assert lines[4].split()[-5:] == ["16", "left", "out", "-", "-"]
    assert max(map(len, lines)) <= 80
    assert [each["lanes"] for each in found.plain()["rows"]] == [512, 16]


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs a part whose process is this shell script; returns why it ended early, and what was found."""

    def part(script: str, limit: float = 60.0) -> tuple[str | None, Found]:
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(python))
        monkeypatch.setitem(gpu.PARTS, "plain", Part(1.0, "--a-flag"))
        found = Found()
        return gpu.run_part("plain", TINY, limit, tmp_path / "plain.log", found), found

    return part


def test_a_part_adds_its_lines_of_json(part: Any) -> None:
    problem, found = part(f"echo noise\necho '{json.dumps(row('conv2', 2, 1.5))}'\nprintf '{{\"cut'")
    assert problem is None
    assert [*found.rows] == [("conv2", 2)]


def test_a_part_gets_its_name_options_and_flags(part: Any, tmp_path: Path) -> None:
    part(f"""cd {tmp_path}; printf '%s' "$4" > options; printf '%s' "$3 $XLA_FLAGS" > rest""")
    assert Options(**json.loads((tmp_path / "options").read_text())) == Options(
        *(list(value) if isinstance(value, tuple) else value for value in TINY)
    )
    first, *_, last = (tmp_path / "rest").read_text().split()
    assert (first, last) == ("plain", "--a-flag")


def test_a_part_that_takes_too_long_leaves_what_it_printed(part: Any) -> None:
    problem, found = part(f"echo '{json.dumps(row('conv2', 2, 1.5))}'\nprintf '{{'\nexec sleep 60", limit=0.5)
    assert problem == "stopped after 0 s; what it lacks did not fit into the time"
    assert found.rows["conv2", 2]["steps_per_second"] == 1.5


def test_a_part_that_fails_or_gets_no_time_says_so(part: Any, tmp_path: Path) -> None:
    problem, _ = part("echo broken >&2; exit 3")
    assert problem == "failed with exit code 3: see plain.log"
    assert (tmp_path / "plain.log").read_text() == "broken\n"
    assert part("exit 3", limit=0.0)[0] == "left out: no time is left"


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main(["--parts=lenet,conv3"])
    assert "--parts=lenet,conv3: no part conv3; there are lenet, run, conv2" in capsys.readouterr().err


def test_the_parts_are_those_that_can_be_measured() -> None:
    assert gpu.PARTS.keys() == gpu_parts.PARTS.keys()


def printed(capsys: pytest.CaptureFixture[str]) -> Found:
    found = Found()
    for line in capsys.readouterr().out.splitlines():
        found.add(json.loads(line))
    return found


def test_every_form_of_convolution_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    gpu_parts.forms(TINY, "conv2")
    found = printed(capsys)
    assert {*found.rows} == {(f"conv2 step, {form}", 2) for form in FORMS}
    assert all(row["steps_per_second"] > 0 for row in found.rows.values())


def test_the_papers_experiment_is_projected_from_its_widest_round() -> None:
    """A dense round of two replicates, and one of two tickets and two others; each fits side by side."""
    experiment = from_words(["rounds=1", "replicates=2", "steps=100", "arms=[ticket,random_mask]"])
    expected = "0:08, projected: 200 steps of 4 lanes side by side on one device, evaluated"
    assert gpu_parts.projection(experiment, speed=100.0) == expected


def test_a_training_that_does_not_repeat_is_noticed() -> None:
    def outcomes(weight: float) -> dict[int, Outcome]:
        metrics = Metrics(*(np.zeros(1, np.float32),) * 5)
        return {lane: Outcome({"w": np.full(2, lane and weight)}, 1.0, metrics, 0.0) for lane in (0, 1)}

    assert gpu_parts.largest_difference(outcomes(1.0), outcomes(1.0)) == 0
    assert gpu_parts.largest_difference(outcomes(1.0), outcomes(1.25)) == 0.25


def test_what_travels_is_pinned() -> None:
    script = (ROOT / "scripts" / "gpu.sh").read_text()
    names = " ".join(re.findall(r"^(?:PACKAGES|SOURCES)=\(([^)]*)\)", script, re.MULTILINE)).split()
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert len(names) == 21
    assert {*names} <= pinned


@pytest.mark.slow
def test_the_whole_measurement_runs_on_a_cpu(tmp_path: Path) -> None:
    """But for ResNet-20, which takes as long as half of the rest."""
    sizes = ["--lanes=1,2", "--conv-lanes=2", "--seconds=0.05", "--turns=1"]
    words = [*sizes, "--parts=lenet,run,conv2,plain,deterministic", *KNOBS]
    environment = {"JAX_PLATFORMS": "cpu", "OUT": str(tmp_path), "PYTHON": sys.executable}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    done = subprocess.run(
        [ROOT / "scripts" / "gpu.sh", *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "gpu.txt").read_text() == done.stdout
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert len(found["rows"]) == 2 * 3 + len(FORMS) + 2
    assert [row for row in found["rows"] if not row["steps_per_second"]] == []
    assert [row["what"] for row in found["rows"] if row["estimated"]] == [
        *["LeNet-300-100", "LeNet-300-100, evaluated"] * 3,
        "conv2, plain",
        "conv2, deterministic",
    ]
    assert found["notes"].keys() == {
        "mnist_lenet",
        "ltr plan",
        "ltr run",
        "conv2, plain",
        "conv2, deterministic",
    }
    assert "repeats bit for bit" in found["notes"]["conv2, plain"]

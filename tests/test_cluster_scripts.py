"""Scripts for containers and clusters: linted, and the array script tried without Slurm."""

import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ARRAY = ROOT / "scripts" / "slurm" / "array.sh"
DOCKER = ROOT / "scripts" / "docker"
SHELL = [*(ROOT / "scripts").rglob("*.sh"), *(ROOT / "findings").glob("*.sh"), ROOT / ".ci" / "run"]

LTR = """\
#!/usr/bin/env bash
printf '%s\\n' "$@" > "$WORDS"
[ -z "${WAITS:-}" ] && exit "${CODE:-0}"
trap 'touch "$WORDS.signalled"' TERM
touch "$WORDS.begun"
while [ ! -e "$WORDS.end" ]; do sleep 0.05; done
exit 143
"""


def tool(name: str) -> str:
    """A linter of the extra dev, beside the Python that runs the tests or elsewhere."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return found or pytest.skip(f"{name} is not installed")


def lint(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_shell_scripts_pass_shellcheck() -> None:
    assert len(SHELL) > 5
    assert lint(tool("shellcheck"), *SHELL) == ""


def test_shellcheck_finds_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "wrong.sh").write_text("#!/bin/sh\nrm $1\n")
    assert "SC2086" in lint(tool("shellcheck"), tmp_path / "wrong.sh")


def test_the_dockerfile_passes_hadolint(tmp_path: Path) -> None:
    hadolint = tool("hadolint")
    assert lint(hadolint, "--no-color", DOCKER / "Dockerfile") == ""
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp\n")
    assert "DL3006" in lint(hadolint, "--no-color", tmp_path / "Dockerfile")


def test_the_container_is_built_from_files_that_are_there() -> None:
    lines = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert {"ltr", "configs", "pyproject.toml"} <= {*kept}
    assert [path for path in kept if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("extra", ["", "cuda"])
def test_requirements_are_those_of_the_project(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    command = [sys.executable, DOCKER / "requirements.py", extra]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    more = project["optional-dependencies"][extra] if extra else []
    assert printed.splitlines() == [*project["dependencies"], *more]


def test_an_extra_that_there_is_not_is_one_line() -> None:
    command = [sys.executable, DOCKER / "requirements.py", "cuba"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("EXTRA=cuba: must be one of audit, bench, cuda, ")
    assert ended.stderr.endswith(", or nothing\n")
    assert ended.stderr.count("\n") == 1


def test_the_ray_cluster_has_the_keys_of_rays_schema() -> None:
    cluster = yaml.safe_load((ROOT / "scripts" / "ray_cluster" / "cluster.yaml").read_text())
    ray = pytest.importorskip("ray.autoscaler._private.util", reason="ray is not installed")
    ray.validate_config(ray.prepare_config(cluster))
    with pytest.raises(Exception, match="'colour' was unexpected"):
        ray.validate_config(ray.prepare_config(cluster | {"colour": "red"}))


def array(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    """The array script, whose commands write to `folder` what they are asked for."""
    folder.mkdir(exist_ok=True)
    commands = {
        "ltr": LTR,
        "squeue": 'touch "$WORDS.asked"; echo $STATE',
        "scontrol": 'echo "$@" > "$WORDS.requeued"; exit 0',
    }
    for name, text in commands.items():
        (folder / name).write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    own = {"WORDS": str(folder / "words"), "PATH": f"{folder}:{os.environ['PATH']}", "STATE": "RUNNING"}
    own |= {"SLURM_ARRAY_TASK_ID": "2", "SLURM_JOB_ID": "71"}
    return subprocess.Popen(
        ["bash", ARRAY, *words], env=own | environment, stderr=subprocess.PIPE, text=True, cwd=folder
    )


def code_of(process: subprocess.Popen[str]) -> int:
    """Its exit code, once it has ended."""
    process.communicate()
    return process.returncode


def typed(folder: Path) -> list[str]:
    return (folder / "words").read_text().splitlines()


def test_a_task_runs_its_line_with_quotes_as_in_a_shell(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("seed=1\nseed=2 arms=[ticket] 'dataset.path=my photos.npz' a=$HOME\n")
    assert code_of(array(tmp_path, "lines.txt")) == 0
    assert typed(tmp_path) == ["run", "seed=2", "arms=[ticket]", "dataset.path=my photos.npz", "a=$HOME"]


def test_a_task_without_a_file_runs_the_words_with_its_seed(tmp_path: Path) -> None:
    assert code_of(array(tmp_path, "prune_rate=0.2", "rounds=15", CODE="3")) == 3
    assert typed(tmp_path) == ["run", "prune_rate=0.2", "rounds=15", "seed=2"]


def test_a_line_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("seed=1\n")
    process = array(tmp_path, "lines.txt")
    assert process.communicate()[1] == "lines.txt: has no line 2\n"
    assert process.returncode == 2
    assert not (tmp_path / "words").exists()


def test_a_job_that_is_no_array_says_how_to_submit_one(tmp_path: Path) -> None:
    process = array(tmp_path, "rounds=15", SLURM_ARRAY_TASK_ID="")
    assert process.communicate()[1].startswith("no array: type sbatch --array=1-N array.sh FILE, or ")
    assert process.returncode == 2


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("state", "code"), [("RUNNING", 0), ("COMPLETING", 143)])
def test_a_signal_is_passed_on_and_the_task_is_queued_again_unless_cancelled(
    tmp_path: Path, state: str, code: int
) -> None:
    """Slurm signals ltr too when a job is cancelled, and two signals would end it without a checkpoint."""

    def wait_for(name: str) -> None:
        while not (tmp_path / f"words.{name}").exists():
            assert process.poll() is None
            time.sleep(0.02)

    process = array(tmp_path, "rounds=1", WAITS="yes", STATE=state)
    wait_for("begun")
    process.send_signal(signal.SIGTERM)
    wait_for("signalled" if code == 0 else "asked")
    (tmp_path / "words.end").touch()
    process.communicate()
    assert process.returncode == code
    requeued, signalled = (tmp_path / f"words.{name}" for name in ("requeued", "signalled"))
    assert requeued.exists() == signalled.exists() == (code == 0)
    if requeued.exists():
        assert requeued.read_text() == "requeue 71\n"

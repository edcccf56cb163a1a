"""`ltr run`: what it prints and leaves, how it says that something is wrong, and sweeps."""

import dataclasses
import json
import re
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig

from ltr.api.loaded import load
from ltr.cli import main
from ltr.core import machine
from ltr.data.registry import DATASETS
from ltr.errors import LtrError, StoppedError
from ltr.experiment import runner, runtimes, signals
from ltr.experiment.compose import from_words
from ltr.experiment.memory import Memory
from ltr.experiment.session import Session
from ltr.experiment.spec import RunSpec
from ltr.store.catalog import all_runs
from ltr.store.folder import RunFolder
from ltr.store.identity import folder_name
from tests.commands.conftest import QUICK

Run = Callable[..., int]
Captured = pytest.CaptureFixture[str]

SHORT = ("rounds=0", "replicates=1", "steps=4", "eval_every=4")


def folders(root: Path) -> set[str]:
    """The names of the run folders."""
    return {path.parent.name for path in root.glob("*/run.json")}


def info(root: Path) -> dict[str, Any]:
    """What run.json says of the only run."""
    (path,) = root.glob("*/run.json")
    return dict(json.loads(path.read_text()))


def left(root: Path) -> list[Path]:
    """Files that were left behind."""
    return [path for path in root.rglob("*") if path.is_file()]


def state(root: Path) -> dict[Path, tuple[int, bytes]]:
    """When each file was written, and what is in it."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in left(root) if path.name != ".lock"}


# What it prints and leaves


@pytest.fixture
def copied(finished: Any, root: Path) -> None:
    """A copy of the quick run in the output root."""
    shutil.copytree(finished.root, root)


def test_a_run_ends_with_tables_figures_and_a_finding(finished: Any) -> None:
    lines = finished.out.splitlines()
    assert lines[0].startswith("Test accuracy at early stop in % (mean ± 95 % CI, 2 replicates")
    assert [line.split()[0] for line in lines[2:4]] == ["0", "1"]
    figures = [Path(line.split()[1]) for line in lines if line.startswith("figure ")]
    assert figures
    assert all(path.is_file() and path.with_suffix(".svg").is_file() for path in figures)
    assert "Nothing is decided: 2 replicates leave every claim open." in lines
    assert re.fullmatch(r"ltr run .* rounds=1 .* replicates=\d+  # about \d+:\d\d", lines[-1])
    assert f"run {next(finished.root.iterdir())}: 6 trainings of 20 steps" in finished.err.splitlines()


def test_a_round_is_one_file_and_a_run_of_20_rounds_at_most_60(finished: Any) -> None:
    files = [
        path.relative_to(*finished.root.iterdir()) for path in finished.root.rglob("*") if path.is_file()
    ]
    saved = sorted(str(path) for path in files if path.parts[0] == "checkpoints")
    assert saved == [f"checkpoints/{name}/0-1.zip" for name in ("initial", "round_00", "round_01")]
    assert len(files) - len(saved) + 22 <= 60


def test_what_is_printed_fits_80_columns_and_a_pipe(finished: Any) -> None:
    lines = [line for line in finished.out.splitlines() if not line.startswith(("figure ", "ltr run "))]
    assert [line for line in lines if len(line) > 80] == []
    assert "\x1b" not in finished.out
    assert "\r" not in finished.out


def test_run_json_says_how_it_went(finished: Any) -> None:
    said = info(finished.root)
    assert said["status"] == "finished"
    assert said["sessions"][0]["devices"] == {
        "platform": "cpu",
        "kind": "cpu",
        "count": 2,
        "lanes_per_device": 1,
        "parallel": "lanes",
        "processes": 1,
    }
    assert said["summary"]["rounds_done"] == 1
    assert said["summary"]["lanes"] == 6


def test_the_folder_is_called_what_the_run_is(ltr_run: Run, root: Path) -> None:
    ltr_run("seed=3", *SHORT)
    assert folders(root) == {folder_name(from_words(["seed=3", *SHORT]))}


@pytest.mark.usefixtures("copied")
def test_a_finished_run_is_left_alone_and_says_so(
    finished: Any, ltr_run: Run, root: Path, capsys: Captured
) -> None:
    before = state(root)
    assert ltr_run() == 0
    said = capsys.readouterr()
    assert said.out == finished.out.replace(str(finished.root), str(root))
    assert said.err == f"run {next(root.iterdir())}: finished before, nothing to train\n"
    assert state(root) == before


@pytest.mark.usefixtures("copied")
def test_nothing_that_trains_nothing_writes_a_finished_run(ltr_run: Run, root: Path) -> None:
    before = state(root)
    assert ltr_run("devices=1", "checkpoint_every=9", "claims.densities=[0.5]", "rounds=0") == 0
    assert state(root) == before


@pytest.mark.usefixtures("copied")
def test_devices_that_are_not_there_are_refused_of_a_finished_run_too(
    ltr_run: Run, root: Path, capsys: Captured
) -> None:
    before = state(root)
    assert ltr_run("devices=100") == 2
    assert capsys.readouterr().err == "ltr run: devices=100: this machine has 2 (cpu)\n"
    assert state(root) == before


class StopsAtOnce:
    """A signal that came before the first visit."""

    def __init__(self, **_: Any) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def error(self) -> StoppedError:
        return StoppedError(15, "stopped by SIGTERM")


def test_a_stopped_run_says_so_and_resume_command_what_was_typed(
    ltr_run: Run, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(signals, "Stop", StopsAtOnce)
        assert ltr_run() == 143
    assert info(root)["status"] == "stopped"
    (run,) = all_runs(root)
    assert [path.name for path in run.folder.glob("checkpoints/*")] == ["initial"]  # no round was begun
    assert run.resume_command == shlex.join(["ltr", "run", f"output_root={root}", *QUICK])
    capsys.readouterr()
    assert main(shlex.split(run.resume_command)[1:]) == 0
    assert info(root)["status"] == "finished"
    assert [session["command"] for session in info(root)["sessions"]] == [run.resume_command] * 2


@pytest.mark.usefixtures("copied")
def test_asking_for_less_does_not_end_a_run_that_was_asked_for_more(ltr_run: Run, root: Path) -> None:
    (path,) = root.glob("*/run.json")
    path.write_text(json.dumps(info(root) | {"status": "stopped"}))
    assert ltr_run("replicates=1") == 0
    assert info(root)["status"] == "stopped"
    assert ltr_run() == 0
    assert info(root)["status"] == "finished"


@pytest.mark.usefixtures("copied")
def test_more_of_one_thing_and_less_of_another_loses_nothing(ltr_run: Run, root: Path) -> None:
    assert ltr_run("replicates=3", "rounds=0") == 0
    recorded = load("last", root)
    assert (recorded.experiment.rounds, recorded.experiment.replicates) == (1, 3)
    assert list(recorded.rounds["n"]) == [3, 2, 2]
    assert info(root)["summary"]["rounds_done"] == 1


@pytest.mark.slow
def test_an_extension_says_what_is_left_to_do(ltr_run: Run, capsys: Captured) -> None:
    ltr_run("replicates=1")
    capsys.readouterr()
    assert ltr_run() == 0
    said = capsys.readouterr()
    assert ": 3 trainings of 20 steps to go, 3 done before\n" in said.err
    assert "95 % CI, 2 replicates; * highest" in said.out.splitlines()[0]


@pytest.mark.usefixtures("copied")
def test_asking_for_less_shows_less(ltr_run: Run, capsys: Captured) -> None:
    assert ltr_run("rounds=0", "replicates=1") == 0
    said = capsys.readouterr()
    assert said.err.endswith("nothing to train; ltr show has more than this command requests\n")
    assert [line.split()[:3] for line in said.out.splitlines()[2:4]] == [["0", "100.00", "%"], []]
    assert "1 replicate" in said.out


def test_a_run_that_fails_says_why(
    ltr_run: Run, root: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise LtrError("snip: a score is not a finite number")

    monkeypatch.setattr(Session, "initial_state", fail)
    assert ltr_run() == 1
    assert capsys.readouterr().err.splitlines()[-1] == "ltr run: snip: a score is not a finite number"
    assert info(root)["status"] == "failed"


def test_the_configuration_can_be_printed_instead(ltr_run: Run, root: Path, capsys: Captured) -> None:
    assert ltr_run("--cfg", "job") == 0
    assert "prune_rate: 0.2" in capsys.readouterr().out
    assert not root.exists()


def test_a_run_is_composed_once(ltr_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    compositions, load_configuration = [], ConfigLoaderImpl.load_configuration

    def counted(loader: ConfigLoaderImpl, *args: Any, **options: Any) -> Any:
        compositions.append(args)
        return load_configuration(loader, *args, **options)

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
    assert ltr_run("batch_size=5000") == 2
    assert len(compositions) == 1


def test_a_run_has_what_it_requests_of_hydra(ltr_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    monkeypatch.setattr(runner, "conduct", lambda *_, **__: found.append(HydraConfig.get().sweep.dir))
    assert ltr_run("hydra.sweep.dir=jobs", "hydra.mode=MULTIRUN") == 0
    assert found == ["jobs"]


# Bad input: one line, the right exit code, nothing left behind

WRONG = {
    "prune_rat=0.3": "prune_rat: unknown knob; did you mean prune_rate?",
    "prune_rate=0": "prune_rate=0: must be a number > 0 and < 1",
    "prune_rate=1": "prune_rate=1: must be a number > 0 and < 1",
    "prune_rate=-1": "prune_rate=-1: must be a number > 0 and < 1",
    "prune_rate=abc": "prune_rate=abc: must be a number > 0 and < 1",
    "prune_rate=": "prune_rate=: must be a number > 0 and < 1",
    "rounds=-1": "rounds=-1: must be a whole number >= 0",
    "rounds=1.5": "rounds=1.5: must be a whole number >= 0",
    "replicates=0": "replicates=0: must be a whole number >= 1",
    "steps=0": "steps=0: must be at least one step",
    "steps=ten": "steps=ten: must be steps or epochs, as in 50000 or 20ep",
    "dataset=digit": "dataset=digit: unknown choice; did you mean digits?",
    "dataset.name=digit": "dataset.name=digit: unknown data set; did you mean digits?",
    "dataset.name=mnits": "dataset.name=mnits: unknown data set; did you mean mnist?",
    "dataset.validation=1437": "dataset.validation=1437: must be smaller than the 1437 training examples",
    "model=lenet": "model=lenet: unknown choice; did you mean lenet_300_100?",
    "model.name=lenet": "model.name=lenet: unknown network; did you mean lenet_300_100?",
    "optimizer=adamw": "optimizer=adamw: unknown choice; did you mean adam?",
    "arms=[ticket,one_shoot]": "arms: unknown arm one_shoot; did you mean one_shot?",
    "arms=[one_shot]": "arms=[one_shot]: must contain ticket",
    "arm.one_shot.draws=2": "arm.one_shot.draws=2: must be 1",
    "pruning.criterion=magnitud": "pruning.criterion=magnitud: unknown criterion; did you mean magnitude?",
    "pruning.rates.conv=5": "pruning.rates.conv=5.0: times prune_rate=0.2 must be less than 1",
    "pruning.densities=[0.05]": "pruning.densities=[0.05]: needs pruning=global, uniform or erk; layerwise",
    "pruning.scope=erk": "pruning.scope=erk: pruning.rates must be equal, or 0 for layers never pruned",
    "batch_size=5000": "batch_size=5000: must be at most 1197, the training examples of digits",
    "rewind_step=20": "rewind_step=20: must be less than steps=20",
    "rewind_step=900": "rewind_step=900: must be less than steps=20",
    "devices=99": "devices=99: this machine has 2 (cpu)",
    "prune_rate=[0.2": "",
    "seed=${nothing}": "",
    "seed=1,2": "",
    "quickly": "quickly: not a knob; type key=value, as in prune_rate=0.2",
}


@pytest.mark.parametrize(("word", "said"), WRONG.items(), ids=WRONG.keys())
def test_a_wrong_configuration(word: str, said: str, ltr_run: Run, root: Path, capsys: Captured) -> None:
    assert ltr_run(word) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith(f"ltr run: {said}")
    assert captured.out == ""
    assert left(root) == []


def test_a_network_that_does_not_fit_the_data(
    ltr_run: Run, root: Path, capsys: Captured, registered: Any
) -> None:
    registered(DATASETS, dataclasses.replace(DATASETS["digits"], shape=(1, 64, 1)))
    assert ltr_run("model=conv2") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "ltr run: model.name=conv2: needs images of at least 2x2, these are (1, 64, 1)"
    assert left(root) == []


def test_data_that_is_not_there_and_cannot_be_fetched(
    ltr_run: Run, root: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LTR_DATA_SOURCE", raising=False)
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    began = time.monotonic()
    assert ltr_run("dataset=mnist", f"data_dir={tmp_path / 'data'}") == 3
    assert time.monotonic() - began < 10
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "ltr run: mnist is not on this machine and cannot be fetched; type: ltr data prepare"
    )
    assert left(root) == []


def test_an_output_folder_that_cannot_be_written(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").touch()
    assert main(["run", f"output_root={tmp_path / 'file' / 'runs'}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"ltr run: output_root={tmp_path / 'file' / 'runs'}: cannot be written (Not a directory)"


# Sweeps


@pytest.mark.slow
def test_a_sweep_runs_every_combination(ltr_run: Run, root: Path) -> None:
    assert ltr_run("-m", "prune_rate=0.2,0.3", *SHORT) == 0
    wanted = (from_words([f"prune_rate={rate}", *SHORT]) for rate in (0.2, 0.3))
    assert folders(root) == {folder_name(experiment) for experiment in wanted}


def test_a_sweeper_that_chooses_for_itself_knows_the_knobs(
    ltr_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    monkeypatch.setattr(runner, "conduct", lambda experiment, *_: begun.append(experiment.seed))
    monkeypatch.delitem(ConfigStore.instance().repo, "ltr.yaml", raising=False)
    assert ltr_run("-m", "hydra/sweeper=basic", "seed=3,4") == 0
    assert begun == [3, 4]


def test_a_sweep_may_lie_in_the_home_folder_under_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(runner, "conduct", lambda experiment, *_: begun.append(experiment.output_root))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert main(["run", "-m", "seed=0,1", "hydra/launcher=basic", "output_root=~/{my} runs, a=b#é"]) == 0
    assert begun == [str(tmp_path / "home/{my} runs, a=b#é")] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.slow
def test_folders_do_not_depend_on_the_order_of_jobs(ltr_run: Run, root: Path, capsys: Captured) -> None:
    ltr_run("-m", "seed=0,1", *SHORT)
    before = folders(root)
    capsys.readouterr()
    assert ltr_run("-m", "seed=1,0", *SHORT) == 0
    assert folders(root) == before
    assert "ltr run: 2 of 2 jobs finished before" in capsys.readouterr().err.splitlines()


def test_a_wrong_combination_is_refused_before_the_first_trains(
    ltr_run: Run, root: Path, capsys: Captured
) -> None:
    assert ltr_run("-m", "prune_rate=0.3,2", "batch_size=60,5000", *SHORT) == 2
    assert capsys.readouterr().err.splitlines() == [
        "ltr run: batch_size=5000: must be at most 1197, the training examples of digits "
        "(of prune_rate=0.3 batch_size=5000)",
        "ltr run: prune_rate=2: must be a number > 0 and < 1 (of prune_rate=2 batch_size=60)",
        "ltr run: prune_rate=2: must be a number > 0 and < 1 (of prune_rate=2 batch_size=5000)",
        "ltr run: 3 of 4 combinations cannot be run, see above; nothing was trained",
    ]
    assert not root.exists()


@pytest.mark.slow
def test_jobs_of_one_run_extend_each_other(ltr_run: Run, root: Path) -> None:
    assert ltr_run("-m", "replicates=1,2", "rounds=0") == 0
    (name,) = folders(root)
    assert len(RunFolder(root / name).finished) == 2


def test_a_sweep_has_no_single_configuration_to_print(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "-m", "--cfg", "job", "seed=0,1"])
    assert ended.value.code == 2
    assert "--cfg: not allowed with argument -m" in capsys.readouterr().err


def test_fewer_devices_for_want_of_memory_are_not_recorded_as_requested(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_one(spec: RunSpec, need: Memory, on_message: Callable[[str], None]) -> RunSpec:
        return dataclasses.replace(spec, experiment=dataclasses.replace(spec.experiment, devices=1))

    monkeypatch.setattr(runtimes, "fitted", on_one)
    assert main(["run", f"output_root={root}", "rounds=0", "replicates=2", *SHORT[2:], "arms=[ticket]"]) == 0
    (run,) = all_runs(root)
    assert run.config["devices"] is None
    assert json.loads((run.folder / "run.json").read_text())["sessions"][0]["devices"]["count"] == 1


def test_a_run_that_does_not_fit_into_memory_is_refused_before_it_trains(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: 2**20)
    assert main(["run", f"output_root={root}", "rounds=0", "replicates=1", "arms=[ticket]"]) == 2
    said = capsys.readouterr()
    assert "devices=1, lanes_per_device=1: needs about" in said.err
    assert "this machine has 1.0 MiB; lower batch_size=60" in said.err
    assert not [*root.glob("*/checkpoints/*")]

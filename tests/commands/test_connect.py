"""`ltr connect`: what it measures once, shows, and refuses."""

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow.parquet as pq
import pytest

from ltr.api.loaded import LoadedRun
from ltr.cli import main
from ltr.engine import devices
from ltr.errors import StoppedError
from ltr.experiment import connectivity
from ltr.store import catalog, tables

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output root with a run of two prunings."""
    root = tmp_path_factory.mktemp("runs")
    small = ["steps=60", "eval_every=30", "rounds=2", "replicates=2", "arms=[ticket]", "rewind_step=20"]
    assert main(["run", *small, "sparse=never", f"output_root={root}"]) == 0
    return root


@pytest.fixture
def connected(root: Path) -> Iterator[Path]:
    """The run, with nothing measured yet."""
    folder = catalog.find(root, "last").folder
    yield folder
    (folder / "connectivity.parquet").unlink(missing_ok=True)


def connect(folder: Path, *words: str) -> int:
    return main(["connect", folder.name, "--output-root", str(folder.parent), *words])


class Shown(NamedTuple):
    """What a measurement of all rounds printed, and the file of its table."""

    out: str
    table: bytes


@pytest.fixture(scope="module")
def shown(root: Path) -> Shown:
    """All rounds, measured once."""
    folder, out = catalog.find(root, "last").folder, io.StringIO()
    with contextlib.redirect_stdout(out):
        assert connect(folder) == 0
    table = folder / "connectivity.parquet"
    content = table.read_bytes()
    table.unlink()
    return Shown(out.getvalue(), content)


@pytest.fixture
def measured(connected: Path, shown: Shown) -> Path:
    """The run, with all rounds measured."""
    (connected / "connectivity.parquet").write_bytes(shown.table)
    return connected


def test_it_shows_barriers_by_round_and_draws_them(measured: Path, shown: Shown) -> None:
    lines = shown.out.splitlines()
    assert lines[0].startswith("Error barrier in pp (mean ± 95 % CI, 2 replicates")
    assert [line.split()[0] for line in lines[2:5]] == ["0", "1", "2"]
    assert max(map(len, lines[:5])) <= 80
    assert "Trained from step 20, " in shown.out
    assert (measured / "figures" / "connectivity.svg").is_file()
    rows = tables.read(measured, "connectivity")
    counts = rows.groupby(["kind", "round"]).size().to_dict()
    orders = {("orders", round_number): 60 for round_number in range(3)}
    assert counts == orders | {("rounds", 0): 60, ("rounds", 1): 60}
    assert set(rows["rewind_step"]) == {20}


def test_the_copies_differ_and_are_the_same_every_time(measured: Path) -> None:
    once = tables.read(measured, "connectivity").query("round == 1").reset_index(drop=True)
    (measured / "connectivity.parquet").unlink()
    connect(measured, "--rounds", "1")
    pd.testing.assert_frame_equal(tables.read(measured, "connectivity"), once)
    lines = once.query("kind == 'orders'").groupby("replicate")["error"]
    assert any(errors.nunique() > 1 for _, errors in lines), "two data orders end at two networks"


def test_what_is_measured_is_not_measured_again(
    measured: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(connectivity, "data_orders", None)
    assert connect(measured, "--rounds", "0", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert {(row["kind"], row["round"]) for row in said["barriers"]} == {("orders", 0), ("rounds", 0)}


def test_a_table_that_does_not_name_its_statistics_is_not_measured_again(
    measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As older versions wrote it."""
    file = measured / "connectivity.parquet"
    rows = pq.read_table(file)
    pq.write_table(rows.drop_columns("statistics"), file)
    monkeypatch.setattr(connectivity, "data_orders", None)
    assert connect(measured, "--rounds", "2") == 0
    assert pq.read_table(file).equals(rows)


@pytest.mark.slow
def test_both_kinds_of_statistics_are_measured_at_once_and_shown_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    small = ["steps=4", "eval_every=4", "rounds=1", "replicates=1", "arms=[ticket]", "optimizer=sgd"]
    words = ["model=resnet20", "model.width=0.1", "dataset=digits", *small, f"output_root={tmp_path}"]
    assert main(["run", *words]) == 0
    folder = catalog.find(tmp_path, "last").folder
    capsys.readouterr()
    assert connect(folder) == 0
    assert "batch-norm statistics re-estimated" in capsys.readouterr().out
    assert set(tables.read(folder, "connectivity")["statistics"]) == {"re-estimated", "interpolated"}
    monkeypatch.setattr(connectivity, "data_orders", None)
    assert connect(folder, "--statistics", "interpolated", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert {row["statistics"] for row in said["barriers"]} == {"interpolated"}


@pytest.mark.slow
def test_a_stop_keeps_the_rounds_that_are_done(connected: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = connectivity.data_orders

    def stops_in_round_1(session: object, round_number: int, on_chunk: object) -> pd.DataFrame:
        if round_number == 1:
            raise StoppedError(2, "stopped")
        return measured(session, round_number, on_chunk)  # type: ignore[arg-type]

    monkeypatch.setattr(connectivity, "data_orders", stops_in_round_1)
    assert connect(connected) == 130
    assert set(tables.read(connected, "connectivity")["round"]) == {0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rounds", "7"], "--rounds=7: must be among 0 to 2, as in 0,2"),
        (["--rounds", "a"], "--rounds=a: must be among 0 to 2, as in 0,2"),
    ],
)
def test_a_wrong_round(words: list[str], said: str, connected: Path, capsys: Captured) -> None:
    assert connect(connected, *words) == 2
    assert capsys.readouterr().err == f"ltr connect: {said}\n"


def test_a_renamed_run_is_refused(connected: Path, capsys: Captured) -> None:
    renamed = connected.with_name(f"{connected.name[:-10]}0123456789")
    connected.rename(renamed)
    try:
        assert connect(renamed) == 2
    finally:
        renamed.rename(connected)
    assert f"{renamed}: must be named {connected.name}" in capsys.readouterr().err


@pytest.mark.parametrize("kinds", [["orders"], ["orders", "rounds"]])
def test_without_a_pair_of_copies_that_both_have_a_result_there_is_no_barrier(
    kinds: list[str], measured: Path, capsys: Captured
) -> None:
    table = tables.read(measured, "connectivity")
    tables.write(measured, "connectivity", table.assign(error=table["error"].mask(table["kind"].isin(kinds))))
    assert connect(measured, "--rounds", "0") == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"ltr connect: {measured}: no barrier in these rounds, since a copy of every ticket diverged"
    )


def test_wrong_rounds_are_refused_before_jax_is_imported(connected: Path) -> None:
    code = "import sys; from ltr.cli import main; sys.exit(main(sys.argv[1:]) + ('jax' in sys.modules))"
    words = ["connect", str(connected), "--rounds", "9"]
    ended = subprocess.run([sys.executable, "-c", code, *words], check=False, capture_output=True, text=True)
    assert ended.stderr == "ltr connect: --rounds=9: must be among 0 to 2, as in 0,2\n"
    assert ended.returncode == 2


def test_every_core_is_a_device_before_checkpoints_are_read(
    measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[str] = []
    monkeypatch.setattr(devices, "start", lambda _: began.append("devices"))
    monkeypatch.setattr(LoadedRun, "require_checkpoints", lambda _: began.append("checkpoints"))
    assert connect(measured, "--rounds", "0") == 0
    assert began == ["devices", "checkpoints"]

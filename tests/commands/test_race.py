"""`ltr run experiment=search_race`: what a race of all searches prints and leaves."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import ltr
from ltr.analysis.search_race import base_lines, contestants
from ltr.cli import main
from ltr.report.formatting import percent

SMALL = ["replicates=2", "steps=30", "eval_every=10", "rounds=3", "control_rounds=[3]"]


@pytest.mark.slow
def test_a_race_of_all_searches(
    tmp_path: Path,
    draw_figures: Callable[[], AbstractContextManager[None]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with draw_figures():
        assert main(["run", f"output_root={tmp_path}", "experiment=search_race", *SMALL]) == 0
    said = capsys.readouterr().out
    run = ltr.load("last", tmp_path)
    racing = ["ticket", *contestants(run.experiment), *base_lines(run.experiment)]
    title = f"{percent(run.race['density'].iloc[0])} % of the weights (2 replicates)"
    rows = said[said.index(title) :].splitlines()[2 : 2 + len(racing)]
    assert sorted(row.split()[0] for row in rows) == sorted(racing)
    assert "nan" not in said.lower()
    assert max(len(line) for line in said.splitlines() if not line.startswith(("figure", "ltr run"))) <= 80
    assert (run.race[["cost", "cost_seconds", "accuracy"]].notna()).all(axis=None)
    assert run.race.loc[run.race["arm"] == "random_mask", "cost"].item() == 0
    assert (run.folder / "figures" / "race_round_3.svg").exists()
    assert main(["compare", "last", f"--output-root={tmp_path}"]) == 0
    assert "\n".join(rows) in capsys.readouterr().out
    assert main(["report", "last", f"--output-root={tmp_path}"]) == 0
    assert 'id="r0-race-3"' in (run.folder / "report.html").read_text()

import argparse
import json
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ltr.commands import show
from ltr.config.parse import parse
from ltr.config.schema import Experiment, to_dict
from ltr.errors import ConfigError, LtrError
from ltr.store import tables


def results() -> pd.DataFrame:
    """Rounds 0 and 1 of two replicates with a ticket and a one-shot arm; the ticket always 1 pp ahead."""
    lanes = [
        (r, p, arm, draw)
        for r in (0, 1)
        for p in (0, 1)
        for arm, draw in ((("ticket", 0), ("one_shot", 0), ("one_shot", 1)) if r else (("ticket", 0),))
    ]
    frame = pd.DataFrame(lanes, columns=["round", "replicate", "arm", "draw"])
    accuracy = 0.95 + 0.01 * frame["replicate"] - 0.01 * (frame["arm"] == "one_shot")
    return frame.assign(
        density=0.8 ** frame["round"],
        early_stop_step=300,
        accuracy_at_early_stop=accuracy,
        final_accuracy=accuracy,
        censored=frame["arm"] == "one_shot",
        steps=1500,
        flops=1.0,
        early_bird_step=None,
        reached_outputs=10,
        dead_units=0,
        diverged_step=None,
        emptied_layer=None,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a finished run that was asked for rounds 0 and 1."""
    folder = tmp_path / "digits-lenet_300_100-3f2a91bc07"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures" / "accuracy.png").touch()
    (folder / "run.json").write_text(json.dumps({"id": "3f2a91bc07", "status": "finished"}))
    configure(folder, rounds=1, replicates=2)
    tables.write(folder, "results", results())
    return folder


def configure(folder: Path, **knobs: object) -> None:
    arms = to_dict(Experiment().arm) | {"one_shot": {"mask": "one_shot", "draws": 2}, "loud": {"noise": 2}}
    shown = {"arm": arms, "claims": {"densities": []}, "arms": ["ticket", "one_shot"]}
    experiment = parse(shown | knobs)
    (folder / "config.yaml").write_text(yaml.safe_dump(to_dict(experiment)))


def run(folder: Path, *words: str, name: str = "last") -> int:
    parser = argparse.ArgumentParser()
    show.arguments(parser)
    return show.execute(parser.parse_args([name, "--output-root", str(folder.parent), *words]))


def test_text_says_all_there_is_to_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder) == 0
    said = capsys.readouterr()
    assert said.err == ""
    head, settings, accuracies, steps, claims, finding, means, figures = said.out.split("\n\n")
    assert head == f"{folder}  finished"
    assert settings == "rounds=1  replicates=2  arms=[ticket,one_shot]  arm.one_shot.draws=2"
    assert accuracies.splitlines()[-1] == "    1  80.00 %  95.50 ± 6.35*   94.50 ± 6.35"
    assert steps.splitlines()[-1] == "    1  80.00 %    300           > 300"
    assert claims.startswith("Claims (2 replicates, paired;")
    assert finding == "Nothing is decided: 2 replicates leave every claim open."
    assert means.startswith("Means, without a test: at 80 % of the weights the ticket is 95.50")
    assert figures == f"{folder / 'figures' / 'accuracy.png'}\n"
    assert max(len(line) for line in said.out.splitlines() if str(folder) not in line) <= 80


def test_json_has_the_documented_keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said) == ["run", "rounds", "ended", "finding", "means", "claims", "looks", "variance"]
    written = said["run"].pop("written")
    assert written.endswith("+00:00")
    assert said["run"] == {
        "id": "3f2a91bc07",
        "folder": str(folder),
        "dataset": "digits",
        "model": "lenet_300_100",
        "status": "finished",
        "error": None,
        "command": None,
        "obstacle": None,
        "settings": {
            "rounds": 1,
            "replicates": 2,
            "arms": ["ticket", "one_shot"],
            "arm.one_shot.draws": 2,
        },
        "plugins": {},
        "figures": [str(folder / "figures" / "accuracy.png")],
    }
    assert [list(round_number["arms"]) for round_number in said["rounds"]] == [
        ["ticket"],
        ["ticket", "one_shot"],
    ]
    assert said["rounds"][1]["arms"]["one_shot"]["censored"] == 4
    words = {*said["run"], *said["rounds"][1], *said["rounds"][1]["arms"]["ticket"]}
    assert [word for word in words if word not in show.EPILOG] == []


def test_an_unfinished_run_says_what_it_resume_command(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    info = {"status": "stopped", "sessions": [{"command": "ltr run 'arms=[ticket]'"}]}
    (folder / "run.json").write_text(json.dumps(info))
    run(folder)
    head = capsys.readouterr().out.split("\n\n")[0]
    assert head == f"{folder}  stopped; resume it with:\nltr run 'arms=[ticket]'"


def test_a_run_of_a_plugin_that_is_gone_says_so_instead(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = {"command": "ltr run criterion=x", "plugins": {"ltr-gone": "1.0"}}
    (folder / "run.json").write_text(json.dumps({"status": "stopped", "sessions": [session]}))
    run(folder)
    head, _, plugins, *_ = capsys.readouterr().out.split("\n\n")
    assert head == f"{folder}  stopped; cannot be resumed: plug-in ltr-gone 1.0 is not installed"
    assert plugins == "trained with ltr-gone 1.0"
    run(folder, "--json")
    said = json.loads(capsys.readouterr().out)["run"]
    assert (said["command"], said["obstacle"]) == (None, "plug-in ltr-gone 1.0 is not installed")


@pytest.mark.parametrize(
    ("asked", "rounds", "arms"),
    [({"rounds": 0, "replicates": 2}, 1, 1), ({"rounds": 1, "arms": ["ticket"]}, 2, 1)],
)
def test_asking_for_fewer_shows_fewer(
    folder: Path, capsys: pytest.CaptureFixture[str], asked: dict[str, object], rounds: int, arms: int
) -> None:
    configure(folder, **asked)
    run(folder, "--json")
    shown = json.loads(capsys.readouterr().out)["rounds"]
    assert (len(shown), len(shown[-1]["arms"])) == (rounds, arms)


def test_a_run_that_has_trained_nothing_yet(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "results.parquet").unlink()
    assert run(folder) == 0
    assert "No dense network has been trained yet." in capsys.readouterr().out
    assert run(folder, "--json") == 0
    assert json.loads(capsys.readouterr().out)["rounds"] == []


def test_defaults_are_said_to_be_defaults(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(to_dict(parse({}))))
    run(folder)
    assert "every setting at its default" in capsys.readouterr().out


def test_an_unknown_run_is_a_wrong_command(folder: Path) -> None:
    with pytest.raises(ConfigError, match="xyz: no run of that name"):
        run(folder, name="xyz")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("run.json", r"run\.json: damaged; "),
        ("config.yaml", r"config\.yaml: damaged; "),
        ("results.parquet", r"results\.parquet: damaged; "),
    ],
)
def test_a_damaged_file_is_named(folder: Path, file: str, message: str) -> None:
    (folder / file).write_bytes(b"{")
    with pytest.raises(LtrError, match=message):
        run(folder)

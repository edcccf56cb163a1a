"""examples/ltr-example-plugin: installed by pip, run, resumed, and looked at without it."""

import json
import re
from pathlib import Path

import pytest

from ltr.api.loaded import load
from ltr.cli import main
from ltr.commands.completion import candidates
from tests import plugin_sites

Captured = pytest.CaptureFixture[str]
EXAMPLE = Path(__file__).parents[1] / "examples" / "ltr-example-plugin"
NAME = "ltr-example-plugin"
RUN = ["run", "experiment=bars", "replicates=1", "steps=40", "sparse=never"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that it is installed into."""
    plugin_sites.install(EXAMPLE, folder := tmp_path_factory.mktemp("site"))
    return folder


@pytest.fixture(scope="module")
def root(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output root of a run of all that it adds, of one round."""
    folder = tmp_path_factory.mktemp("runs")
    with plugin_sites.joined(site):
        assert main([*RUN, "rounds=1", f"output_root={folder}"]) == 0
    return folder


def test_its_names_are_completed(site: Path) -> None:
    with plugin_sites.joined(site):
        assert [*candidates(["run", "model=two"])] == ["model=two_layers"]
        assert [*candidates(["run", "pruning.criterion=gr"])] == ["pruning.criterion=growth"]


def test_a_run_uses_all_of_it_and_says_so(root: Path, site: Path, capsys: Captured) -> None:
    with plugin_sites.joined(site):
        run = load("last", root)
        assert (run.experiment.dataset.name, run.experiment.model.name) == ("bars", "two_layers")
        assert run.experiment.pruning.criterion == "growth"
        assert set(run.results["arm"]) == {"ticket", "random_reinit", "gradient"}
        assert run.ticket(1).mask["dense_1"]["kernel"].shape == (36, 32)
        assert main(["show", "last", "--output-root", str(root)]) == 0
    assert f"trained with {NAME} 0.1.0\n" in capsys.readouterr().out


def test_without_it_its_runs_are_read_all_the_same(root: Path, capsys: Captured) -> None:
    for words in (["ls"], ["show", "last"], ["report", "last"]):
        assert main([*words, "--output-root", str(root)]) == 0
    said = capsys.readouterr()
    assert f"plug-in {NAME} 0.1.0 is not installed" in said.out
    assert said.err == ""
    assert main(["show", "last", "--json", "--output-root", str(root)]) == 0
    assert json.loads(capsys.readouterr().out)["run"]["plugins"] == {NAME: ["0.1.0"]}
    assert len(load("last", root).rounds) == 4


@pytest.mark.parametrize("words", [["show", "last", "--round", "1"], ["connect", "last"], ["export", "last"]])
def test_what_needs_its_code_names_it(words: list[str], root: Path, capsys: Captured) -> None:
    round_number = ["--round", "1"] if words[0] == "export" else []
    assert main([*words, *round_number, "--output-root", str(root)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f": plug-in {NAME} 0.1.0 is not installed")


def test_another_version_resume_command_a_warning(root: Path, site: Path, capsys: Captured) -> None:
    (info,) = site.glob("*.dist-info")
    metadata = info / "METADATA"
    metadata.write_text(re.sub("^Version: .*", "Version: 0.2.0", metadata.read_text(), flags=re.MULTILINE))
    with plugin_sites.joined(site):
        assert main([*RUN, "rounds=2", f"output_root={root}"]) == 0
        run = load("last", root)
    assert set(run.results["round"]) == {0, 1, 2}
    assert [session["plugins"] for session in run.run.info["sessions"]] == [{NAME: "0.1.0"}, {NAME: "0.2.0"}]
    warned = [line for line in capsys.readouterr().err.splitlines() if "trained before" in line]
    assert warned == [
        f"ltr: {run.folder}: trained before with {NAME} 0.1.0, now with 0.2.0; "
        "to train all lanes alike, choose another output_root"
    ]

"""Plug-ins: what is looked at, what joins, and what is left out."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import ltr
from ltr import plugins
from ltr.cli import main
from ltr.config import groups
from ltr.errors import ConfigError
from ltr.models.registry import NETWORKS
from ltr.pruning.registry import CRITERIA
from tests.plugin_sites import joined

Captured = pytest.CaptureFixture[str]
Write = Callable[..., Path]

GOOD = """
from pathlib import Path
from ltr.models.registry import NETWORKS, Network
from ltr.plugins import Plugin
plugin = Plugin(
    entries=[(NETWORKS, Network(name="small", doc="A small network.", code="nowhere:small", title="Small"))],
    configs=Path(__file__).parent,
)
"""
TWO = """
from ltr.models.registry import NETWORKS, Network
from ltr.plugins import Plugin
from ltr.pruning.registry import CRITERIA
from ltr.registry import Entry
entries = [(CRITERIA, Entry(name="new", doc="New.")), (CRITERIA, Entry(name={name!r}, doc="Old."))]
plugin = Plugin(entries=entries)
"""
KIND = """
from ltr.models.registry import NETWORKS
from ltr.plugins import Plugin
from ltr.registry import Entry
plugin = Plugin(entries=[(NETWORKS, Entry(name="plain", doc="Without a title."))])
"""
LOOKS = """
from ltr.models.registry import NETWORKS
from ltr.plugins import Plugin
assert "conv2" in NETWORKS
plugin = Plugin()
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a package of one module as pip would install it; returns the folder that it is in."""

    def write(name: str, source: str, version: str = "1.0") -> Path:
        module, info = tmp_path / name.replace("-", "_"), tmp_path / f"{name}-{version}.dist-info"
        module.mkdir()
        info.mkdir()
        (module / "__init__.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[ltr.plugins]\nmine = {module.name}:plugin\n")
        return tmp_path

    return write


def test_its_entries_join_with_the_package_that_they_are_of(write: Write) -> None:
    with joined(site := write("ltr-good", GOOD, "2.1")):
        assert [*NETWORKS][-1] == "small"
        assert NETWORKS["small"].distribution == "ltr-good 2.1"
        assert NETWORKS["conv2"].distribution == ""
        (found,) = plugins.installed()
    assert (found.distribution, found.version, found.configs, found.problem) == (
        "ltr-good", "2.1", site / "ltr_good", ""
    )  # fmt: skip
    assert "small" not in NETWORKS


def test_its_yaml_files_are_choices(write: Write) -> None:
    folder = write("ltr-good", GOOD) / "ltr_good" / "model"
    folder.mkdir()
    (folder / "small.yaml").write_text("# A small one.\nname: small\n")
    (folder / "conv2.yaml").write_text("name: small\n")
    with joined(folder.parents[1]):
        assert groups.choices("model")["small"] == "A small one."
        with pytest.raises(ConfigError, match=r"ltr_good/model/conv2\.yaml: model=conv2 is already defined"):
            groups.file_of("model", "conv2")
    assert "small" not in groups.choices("model")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("plugin = 1 / 0", "ZeroDivisionError: division by zero"),
        ("", "AttributeError: module 'ltr_bad' has no attribute 'plugin'"),
        ("plugin = object()", "ltr_bad:plugin is not an ltr.plugins.Plugin"),
        (GOOD.replace("parent", "parent / 'gone'"), "ltr_bad/gone: no such folder"),
        (
            TWO.format(name="random"),
            "pruning.criterion=random: ltr-bad 1.0 adds this criterion, which ltr has",
        ),
        (TWO.format(name="new"), "adds two entries of the same name"),
        (KIND, "model.name=plain: ltr-bad 1.0 adds this network as Entry; must be Network"),
        ("from ltr.plugins import Plugin\nplugin = Plugin(entries=[1])", "TypeError: "),
    ],
)
def test_one_that_is_broken_is_left_out_as_a_whole(source: str, problem: str, write: Write) -> None:
    write("ltr-good", GOOD)
    with joined(write("ltr-bad", source)):
        bad, good = sorted(plugins.installed(), key=lambda one: one.distribution)
        assert problem in bad.problem
        assert bad.warning.startswith("plug-in mine of ltr-bad 1.0 is left out: ")
        assert "\n" not in bad.warning
        assert bad.configs is None
        assert "new" not in CRITERIA
        assert good.problem == ""
        assert "small" in NETWORKS


def test_two_plug_ins_of_one_name(write: Write) -> None:
    write("ltr-good", GOOD)
    with joined(write("ltr-other", GOOD)):
        (problem,) = (one.problem for one in plugins.installed() if one.problem)
    assert problem == "model.name=small: ltr-other 1.0 adds this network, which ltr-good 1.0 has already"


def test_one_that_looks_a_name_up_while_it_is_imported_joins(write: Write) -> None:
    with joined(write("ltr-looks", LOOKS)):
        assert [one.problem for one in plugins.installed()] == [""]


def test_a_broken_one_is_said_where_knobs_are_taken_and_stops_nothing(
    write: Write, tmp_path: Path, capsys: Captured
) -> None:
    said = "ltr: plug-in mine of ltr-bad 1.0 is left out: ModuleNotFoundError: No module named 'gone'\n"
    with joined(write("ltr-bad", "import gone")):
        assert main(["run", "--cfg", "job"]) == 0
        assert capsys.readouterr().err == said
        assert main(["plan", "model=smal"]) == 2
        assert capsys.readouterr().err.startswith(f"{said}ltr plan: model=smal: unknown choice; ")
        assert main(["ls", "--output-root", str(tmp_path)]) == 0
        assert "left out" not in capsys.readouterr().err
        assert main(["doctor"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "plug-ins ltr-bad 1.0 is left out: ModuleNotFoundError: No module named 'gone'" in said


def test_a_broken_one_is_a_warning_in_python(write: Write) -> None:
    said = "plug-in mine of ltr-bad 1.0 is left out"
    with (
        joined(write("ltr-bad", "import gone")),
        pytest.warns(UserWarning, match=said),
        pytest.raises(ConfigError, match="unknown choice"),
    ):
        ltr.plan(model="added")


def test_nothing_of_the_current_folder_is_looked_at(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    site = write("ltr-bad", "raise SystemExit")
    monkeypatch.chdir(site)
    with joined(site, Path()):
        assert plugins.installed() == []
    ltr = Path(sys.executable).with_name("ltr")
    done = subprocess.run([ltr, "plan", "prune_rat=1"], check=False, capture_output=True, text=True)
    assert done.stderr == "ltr plan: prune_rat: unknown knob; did you mean prune_rate?\n"


def test_help_and_refusals_import_it_and_nothing_heavy(write: Write) -> None:
    code = """
import sys
from ltr.cli import main
begun = ["completion", "words", "--", "run", "model.name="]
for words in (["run", "model.name=smal"], begun, ["run", "--help"]):
    try:
        main(words)
    except SystemExit:
        pass
print(sorted({"jax", "flax", "numpy", "optax", "tensorflow_datasets"} & set(sys.modules)), file=sys.stderr)
"""
    environment = os.environ | {"PYTHONPATH": str(write("ltr-good", GOOD))}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert done.stderr.splitlines() == [
        "ltr run: model.name=smal: unknown network; did you mean small?",
        "[]",
    ]
    assert "model.name=small" in done.stdout

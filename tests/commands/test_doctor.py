"""`ltr doctor`: what this installation has."""

import json
from pathlib import Path

import jax
import pytest

from ltr import kernels
from ltr.cli import main
from ltr.core import cache_paths
from ltr.engine import measurements
from ltr.engine.break_even import Probe
from ltr.engine.devices import Placement
from ltr.engine.measurements import Case, LayerShape, Measurement

Captured = pytest.CaptureFixture[str]
SCHEMA = {
    "ltr": str, "processor": str, "cores": int, "devices": str, "sparse_kernels": str, "python": str,
    "jax": str, "jaxlib": str, "numpy": str, "torch": str, "data_folder": str, "data_prepared": list,
    "plugins": list, "config_folders": list, "cache_folder": str, "free_bytes": int,
    "break_even": list,
}  # fmt: skip
MAY_BE_NULL = {"sparse_kernels", "torch"}


def test_the_schema_does_not_drift(capsys: Captured) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == list(SCHEMA)
    for name, kind in SCHEMA.items():
        assert isinstance(found[name], kind) or (name in MAY_BE_NULL and found[name] is None)


@pytest.mark.parametrize("built", [True, False])
def test_it_says_which_kernels_there_are(
    built: bool, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "instruction_set", lambda: "AVX9" if built else None)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert ("kernels   AVX9\n" in said) == built
    assert ("kernels   not built" in said) != built
    assert [line for line in said.splitlines() if len(line) > 80] == []


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A layer that was measured on this machine while it was busy, beside one of another machine."""
    file = tmp_path / "break_even.json"
    monkeypatch.setattr(cache_paths, "break_even_file", lambda: file)
    case = Case.here(LayerShape((784, 300), 1, True, True), 60, "adam", Placement(tuple(jax.devices()), 1))
    busy = Measurement(0.2, "2026-11-27T22:00:00+00:00", 0.8, 12.5, 3.2, "times spread by 80%")
    measurements.write(file, {case: busy, case._replace(machine="another"): busy})
    return case


@pytest.mark.usefixtures("measured")
def test_it_shows_break_even_densities_with_date_and_spread(capsys: Captured) -> None:
    assert main(["doctor"]) == 0
    *_, title, line, doubt, again = capsys.readouterr().out.splitlines()
    assert title.split()[-4:] == ["to", "measured", "spread", "load"]
    assert " ".join(line.split()) == "of pixels, 784 x 300 at 1, adam 60 20.0% 2026-11-27 80% 12.5"
    assert doubt == "unsure: of pixels, 784 x 300 at 1, adam 60: times spread by 80%"
    assert again == "a later run repeats unsure measurements when the machine is less busy"
    assert max(map(len, (title, line, doubt))) <= 80


def test_it_measures_again(measured: Case, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[LayerShape] = []

    def measure(self: Probe, layer: LayerShape) -> Measurement:
        asked.append(layer)
        return Measurement(0.5, "2026-11-28T10:00:00+00:00", 0.02, None, 3.0)

    monkeypatch.setattr(Probe, "measure", measure)
    assert main(["doctor", "--measure", "--json"]) == 0
    out, err = capsys.readouterr()
    (found,) = json.loads(out)["break_even"]
    assert asked == [measured.layer]
    assert (found["density"], found["date"], found["doubt"]) == (0.5, "2026-11-28T10:00:00+00:00", "")
    assert err == "measuring 1 layer, about 0:03; let nothing else run meanwhile\n"
    assert len(measurements.read(cache_paths.break_even_file())) == 2


def test_there_may_be_nothing_to_measure_again(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_paths, "break_even_file", lambda: tmp_path / "break_even.json")
    assert main(["doctor", "--measure"]) == 0
    assert "nothing was measured here yet" in capsys.readouterr().err

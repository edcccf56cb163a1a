"""In which form the convolutions of a run are computed."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ltr.engine import fastest_form
from ltr.engine.devices import Placement
from ltr.experiment import conv_form as module
from ltr.experiment.compose import from_words
from ltr.experiment.conv_form import conv_form
from ltr.experiment.memory import memory
from ltr.experiment.placement import USED
from ltr.experiment.runtimes import open_session
from ltr.experiment.spec import RunSpec
from ltr.models.arithmetic import XLA
from ltr.store.opening import open_run
from tests.experiment.runs import ask

CONV2 = "model=conv2", "dataset=cifar10", "model.width=0.1", "replicates=4", "arms=[ticket]"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "conv_forms.json"


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Places every run on one device, by default an accelerator of four lanes, fastest lane by lane."""

    def placed(lanes: int = 4, platform: str = "gpu", limit: int | None = None) -> Placement:
        device: Any = SimpleNamespace(
            platform=platform,
            device_kind="an accelerator",
            process_index=0,
            memory_stats=lambda: {"bytes_limit": limit} if limit else None,
        )
        placement = Placement((device,), lanes)
        monkeypatch.setattr(module, "place", lambda _: placement)
        return placement

    monkeypatch.setattr(
        fastest_form, "seconds", lambda contexts, *_: {form: 1 / len(form) for form in contexts}
    )
    placed()
    return placed


def spec(*words: str) -> RunSpec:
    return RunSpec.from_experiment(from_words([*words]))


def test_an_accelerator_of_several_lanes_measures_it_once(placed: Any, file: Path) -> None:
    said: list[str] = []
    assert conv_form(spec(*CONV2), file, said.append) == "lane_by_lane"
    assert conv_form(spec(*CONV2), file, said.append) == "lane_by_lane"
    assert said == ["measuring in which form convolutions of many lanes are fastest", ""]


def test_other_lanes_or_another_network_are_measured_by_themselves(placed: Any, file: Path) -> None:
    said: list[str] = []
    conv_form(spec(*CONV2), file, said.append)
    placed(lanes=2)
    conv_form(spec(*CONV2), file, said.append)
    conv_form(spec(*CONV2, "model.width=0.2"), file, said.append)
    conv_form(spec(*CONV2, "batch_size=8"), file, said.append)
    assert len(said) == 2 * 4


def unmeasured(*words: str, recorded: str | None = None) -> str:
    """The form of a run that is measured for nothing."""
    file = Path("unused")
    form = conv_form(spec(*words), file, pytest.fail, recorded)
    assert not file.exists()
    return form


def test_it_is_xlas_where_no_convolution_is_mapped_over_lanes(placed: Any) -> None:
    assert unmeasured("model=lenet_300_100") == "grouped"
    placed(lanes=1)
    assert unmeasured(*CONV2) == "grouped"
    placed(platform="cpu")
    assert unmeasured(*CONV2) == "grouped"


def test_a_run_keeps_its_form_unless_xlas_is_asked_for(placed: Any) -> None:
    assert unmeasured(*CONV2, recorded="patches") == "patches"
    assert unmeasured(*CONV2, recorded="grouped") == "grouped"
    assert unmeasured(*CONV2, "arithmetic=xla", recorded="patches") == "grouped"


def test_a_form_that_needs_too_much_memory_is_not_tried(placed: Any) -> None:
    run = spec(*CONV2)
    placement = placed()
    need = {
        form: memory(run, XLA._replace(conv_form=form)).of_device(placement) / USED
        for form in ("grouped", "lane_by_lane", "patches")
    }
    assert need["patches"] > max(need["grouped"], need["lane_by_lane"])
    placed(limit=round(need["patches"]) + 1)
    assert {*module.seconds(run)} == {"grouped", "lane_by_lane", "patches"}
    placed(limit=round(need["patches"]) - 1)
    assert {*module.seconds(run)} == {"grouped", "lane_by_lane"}
    placed(limit=1)
    assert {*module.seconds(run)} == {"grouped"}


def test_a_run_records_its_form_and_keeps_it(placed: Any, tmp_path: Path) -> None:
    experiment = ask(tmp_path, sparse="never", model={"name": "conv2", "width": 0.1})
    spec = RunSpec.from_experiment(experiment)
    with open_run(experiment) as folder:
        chosen = open_session(spec, folder).runtime.arithmetic
        assert chosen.conv_form == "lane_by_lane"
        folder.begin(experiment, {}, {}, **chosen._replace(conv_form="patches")._asdict())
        assert open_session(spec, folder).runtime.arithmetic.conv_form == "patches"
        assert folder.facts["sessions"][0]["conv_form"] == "patches"

"""The fastest form of convolution is measured once."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from ltr.config.schema import Model as Config
from ltr.config.schema import Optimizer
from ltr.core import optimizers
from ltr.engine import fastest_form
from ltr.engine.devices import Placement
from ltr.engine.fastest_form import Case
from ltr.engine.speed import Steps
from ltr.methods.method import MethodContext
from ltr.models import registry
from ltr.models.arithmetic import Arithmetic
from ltr.models.conv_forms import FORMS
from ltr.models.model import with_arithmetic
from tests.marks import slow

CASE = Case(("3 x 3 x 3 x 64 at 1024",), 60, 4, "an accelerator", "here", "1.0")


@pytest.fixture
def chosen(tmp_path: Path) -> Any:
    """Chooses a form by seconds, in a folder of its own; its attribute `said` has the messages."""

    def chosen(case: Case = CASE, **seconds: float) -> str:
        return fastest_form.fastest(case, chosen.file, lambda: seconds, chosen.said.append)  # type: ignore

    chosen.said, chosen.file = [], tmp_path / "cache" / "conv_forms.json"  # type: ignore[attr-defined]
    return chosen


def test_the_form_of_the_fewest_seconds_is_chosen_and_remembered(chosen: Any) -> None:
    assert chosen(grouped=2.0, patches=1.0, lane_by_lane=3.0) == "patches"
    assert chosen(grouped=1.0, patches=2.0) == "patches", "which is not measured again"
    assert chosen.said == ["measuring in which form convolutions of many lanes are fastest", ""]


@pytest.mark.parametrize(
    "other", [{"lanes": 16}, slow({"batch_size": 8}), slow({"jax": "1.1"}), {"layers": ()}]
)
def test_another_case_is_measured_by_itself(chosen: Any, other: dict[str, Any]) -> None:
    assert chosen(grouped=2.0, patches=1.0) == "patches"
    assert chosen(CASE._replace(**other), grouped=1.0, patches=2.0) == "grouped"
    assert chosen() == "patches"


def test_it_is_xlas_if_none_could_be_measured(chosen: Any) -> None:
    assert chosen() == "grouped"


@pytest.mark.parametrize("text", ["{", slow("[1]"), slow('[{"case": {}}]'), '[{"case": {"layers": []}}]'])
def test_a_damaged_file_is_measured_again(chosen: Any, text: str) -> None:
    chosen(patches=1.0)
    chosen.file.write_text(text)
    assert chosen(grouped=1.0) == "grouped"
    assert chosen() == "grouped"


@pytest.fixture(scope="module")
def contexts() -> dict[str, MethodContext]:
    """A small network in every form."""
    model = registry.build(Config(name="conv2", width=0.05), (8, 8, 3), 10)
    sgd = optimizers.build(Optimizer(name="sgd"), 1, 1)
    return {
        form: MethodContext(with_arithmetic(model, Arithmetic(conv_form=form)), sgd, 1, 1) for form in FORMS
    }


IMAGES = np.random.default_rng(0).integers(256, size=(2, 8, 8, 3), dtype=np.uint8)


def test_a_step_of_all_lanes_is_timed_in_every_form(
    contexts: dict[str, MethodContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fastest_form, "SECONDS", 0.0)
    found = fastest_form.seconds(contexts, IMAGES, Placement((jax.devices()[0],), 2))
    assert found.keys() == FORMS.keys()
    assert min(found.values()) > 0


def test_a_form_that_fails_is_left_out(
    contexts: dict[str, MethodContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Steps):
        def compile(self) -> None:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED")

    def steps(context: MethodContext, *others: Any) -> Steps:
        return (Failing if context is contexts["grouped"] else Steps)(context, *others)

    monkeypatch.setattr(fastest_form, "SECONDS", 0.0)
    monkeypatch.setattr(fastest_form, "Steps", steps)
    two = {form: contexts[form] for form in ("grouped", "patches")}
    assert fastest_form.seconds(two, IMAGES, Placement((jax.devices()[0],), 1)).keys() == {"patches"}


def test_an_error_of_ours_is_no_failure_of_a_form(
    contexts: dict[str, MethodContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fastest_form, "Steps", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fastest_form.seconds(contexts, IMAGES, Placement((jax.devices()[0],), 1))

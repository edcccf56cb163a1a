"""`ltr plan` of any command line answers, or says in one line which knob is wrong."""

import contextlib
import io
import itertools
import json

import pytest
from hypothesis import given

from ltr.cli import main
from ltr.config.parse import Knob
from tests.fuzzing.configurations import ODD, command_lines, own_knobs
from tests.fuzzing.examples import always_others, always_the_same
from tests.fuzzing.naming import points_at


def planned(words: list[str]) -> tuple[int, str, str]:
    """The exit code of a plan, and what it prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(["plan", "--json", *words])
        except SystemExit as error:  # of the parser
            code = int(error.code or 0)
    return code, out.getvalue(), err.getvalue()


def check(words: list[str]) -> int:
    """Hold a plan to what it promises; return its exit code."""
    code, out, err = planned(words)
    if code:
        assert code in (1, 2, 3)
        assert out == ""
        assert err.startswith("ltr plan: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert points_at(err, words), err
        return code
    said = json.loads(out)
    densities = said["densities"]
    assert len(densities) == len(said["rounds"])
    assert densities[0] == 1
    assert all(0 < later <= earlier for earlier, later in itertools.pairwise(densities))
    counts = [density * said["weights"] for density in densities]
    assert counts == pytest.approx([round(count) for count in counts], rel=1e-12)
    assert said["trainings"] >= said["configuration"]["replicates"]
    assert said["steps"] > 0
    return code


@always_the_same(5)
@given(command_lines())
def test_a_plan_answers_or_says_what_is_wrong(words: list[str]) -> None:
    check(words)


@pytest.mark.slow
@always_others("LTR_FUZZED_PLANS", 3000)
@given(command_lines())
def test_thousands_of_plans_answer_or_say_what_is_wrong(words: list[str]) -> None:
    check(words)


@pytest.mark.slow
@pytest.mark.parametrize("knob", own_knobs(), ids=lambda knob: f"{knob.name} {knob.entry}".strip())
def test_each_odd_value_of_each_knob_is_answered(knob: Knob) -> None:
    for value in ODD:
        entry = [knob.entry] if knob.entry else []
        check([*entry, f"{knob.name.replace('NAME', 'random_mask')}={value}"])


def test_a_check_notices_a_plan_that_says_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ltr.cli.dispatch.on_one_line", lambda text: f"{text}\nand more")
    with pytest.raises(AssertionError):
        check(["rounds=-1"])


def test_a_check_notices_a_message_about_another_knob(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ltr.cli.dispatch.on_one_line", lambda _: "seed=-1: must be a whole number")
    with pytest.raises(AssertionError):
        check(["rounds=-1"])


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["arm.ticket.keep_signs=true"], "arm.ticket.keep_signs=true: cannot be changed"),
        (["dataset.name=custom"], "dataset.path=null: must name an .npz file"),
    ],
)
def test_what_fuzzing_found_names_the_knob(words: list[str], begins: str) -> None:
    code, _, err = planned(words)
    assert code == 2
    assert err.startswith(f"ltr plan: {begins}")
    assert points_at(err, words)

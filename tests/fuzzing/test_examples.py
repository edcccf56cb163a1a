"""Which examples a fuzzed test draws."""

import pytest
from hypothesis import Phase, given, settings

from tests.fuzzing.configurations import command_lines
from tests.fuzzing.examples import always_others, always_the_same


def drawn(how: settings, fails: bool = False) -> list[list[str]]:
    """The examples of a test, the first that fails among them, without looking for a simpler one."""
    examples: list[list[str]] = []

    @settings(how, phases=(Phase.generate,))
    @given(command_lines())
    def draw(words: list[str]) -> None:
        examples.append(words)
        assert not fails

    draw()
    return examples


def test_the_tests_of_every_commit_draw_the_same_each_time() -> None:
    assert drawn(always_the_same(10)) == drawn(always_the_same(10))


def test_the_tests_of_every_night_draw_others_each_time() -> None:
    assert drawn(always_others("LTR_UNSET", 10)) != drawn(always_others("LTR_UNSET", 10))


def test_their_number_is_that_of_the_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LTR_FUZZED_PLANS", "7")
    assert always_others("LTR_FUZZED_PLANS", 3000).max_examples == 7


def test_a_failure_of_the_night_prints_what_reproduces_it() -> None:
    with pytest.raises(AssertionError) as failed:
        drawn(always_others("LTR_UNSET", 10), fails=True)
    assert any("@reproduce_failure(" in note for note in failed.value.__notes__)

"""Knobs in which runs differ."""

from ltr.report.differing import differing, differing_names


def test_knobs_of_an_arm_are_compared_among_the_runs_that_have_it() -> None:
    plain = {"rounds": 2}
    noisy = {"arms": ["ticket", "noisy"], "arm.noisy.noise": 0.5}
    noisier = {"arms": ["ticket", "noisy"], "arm.noisy.noise": 1.0}
    assert differing_names([plain, noisy]) == ["arms", "rounds"]
    assert differing_names([plain, noisy, noisier]) == ["arm.noisy.noise", "arms", "rounds"]


def test_a_default_differs_from_another_value_of_an_arm() -> None:
    assert differing_names([{}, {"arm.random_reinit.noise": 0.5}]) == ["arm.random_reinit.noise"]


def test_a_run_without_an_arm_has_no_knob_of_it() -> None:
    noisy, noisier = (
        {"arms": ["ticket", "noisy"], **knobs} for knobs in ({}, {"arm.noisy.noise": 1.0, "seed": 1})
    )
    assert differing([noisy, noisier, {"arms": ["ticket"]}]) == [
        {"arm.noisy.noise": None, "arms": ["ticket", "noisy"], "seed": None},
        {"arm.noisy.noise": 1.0, "arms": ["ticket", "noisy"], "seed": 1},
        {"arms": ["ticket"], "seed": None},
    ]

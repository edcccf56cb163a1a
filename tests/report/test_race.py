"""The race of searches in tables, figures and sentences."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ltr.config.parse import parse
from ltr.report import race, race_figure
from ltr.report.arms import styles
from ltr.report.figures import in_style
from ltr.report.outcome import conclusion, findings

NAN = math.nan


def row(arm: str, accuracy: float, cost: float, **others: Any) -> dict[str, Any]:
    """A method; IMP costs 13.5 and is 97.9 % accurate."""
    is_imp = arm == "ticket"
    return {
        "run": 0,
        "round": 15,
        "density": 0.036,
        "arm": arm,
        "arm_density": 0.036,
        "n": 5,
        "lost": 0,
        "accuracy": accuracy,
        "accuracy_ci95": 0.002,
        "cost": cost,
        "cost_seconds": 40 * cost,
        "times_less": 13.5 / cost if cost else NAN,
        "difference": NAN if is_imp else accuracy - 0.979,
        "difference_interval": NAN if is_imp else 0.0025,
        "pairs": 5,
        "verdict": "" if is_imp else "undecided",
        "on_front": False,
    } | others


ROWS = [
    row("random_mask", 0.956, 0.0, verdict="worse", on_front=True),
    row("snip", 0.969, 0.0013, verdict="worse", on_front=True),
    row("imp_early_bird_ticket", 0.9765, 3.1),
    row("imp_coarse_ticket", 0.9785, 4.9, verdict="as good", on_front=True),
    row("ticket", 0.979, 13.5, on_front=True),
]

ARMS = [row["arm"] for row in ROWS]


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([*(rows or ROWS)])


def lines(text: str) -> dict[str, list[str]]:
    """The words of the lines of a text, by the first."""
    return {words[0]: words[1:] for line in text.splitlines() if (words := line.split())}


def test_a_line_of_a_method_has_its_numbers() -> None:
    text = race.text(table())
    assert max(map(len, text.splitlines())) <= 80
    assert lines(text)["snip"] == [
        "96.90",
        "±",
        "0.20",
        "0.0013*",
        "0.052",
        "10000",
        "-1.00",
        "±",
        "0.25",
        "worse",
    ]
    assert lines(text)["random_mask"] == ["95.60", "±", "0.20", "0*", "0", "-2.30", "±", "0.25", "worse"]
    assert lines(text)["ticket"] == ["97.90", "±", "0.20", "13.50*", "540", "1.0", "IMP"]
    assert "\n3.6 % of the weights (5 replicates)\n" in text


def test_the_longest_lines_of_several_runs_fit() -> None:
    widest = row("imp_early_bird_ticket", 0.879, 12.5, run=1, cost_seconds=12345.0, times_less=10800.0)
    text = race.text(table(*ROWS, widest), ["A  one", "B  another"])
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("A  one\nB  another\n\n")
    assert "B imp_early_bird_ticket" in text
    assert "A ticket" in text
    assert "\u2026" not in text


def test_markdown_has_the_same_cells() -> None:
    written = race.markdown(table(), ["A  one"])
    rows = [line for line in written.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(ROWS)
    assert {line.count("|") for line in rows} == {8}
    assert "| snip | 96.90 ± 0.20 | 0.0013* | 0.052 | 10000 | -1.00 ± 0.25 | worse |" in rows
    assert "A  one" not in written


def test_the_cheapest_of_those_as_good_come_first_in_a_sentence() -> None:
    better = row("one_shot", 0.9788, 1.0, verdict="as good")
    dear = row("supermask_ticket", 0.9788, 27.0, verdict="as good")
    said = race.conclusion([better, *ROWS, dear])
    assert said == (
        "As good as IMP (within 0.3 points): one_shot at 13.5 times less, imp_coarse_ticket at 2.8 times "
        "less and supermask_ticket at 2.0 times the cost."
    )


def test_without_any_as_good_the_nearest_is_named() -> None:
    said = race.conclusion([*ROWS[:3], ROWS[4]])
    assert said == (
        "No mask is known to be as good as IMP (within 0.3 points); the nearest, imp_early_bird_ticket at "
        "4.4 times less, differs by -0.25 ± 0.25 points."
    )
    assert race.conclusion([ROWS[0], ROWS[4]]).endswith(
        "random_mask, which costs nothing, differs by -2.30 ± 0.25 points."
    )
    assert race.conclusion([row("snip", NAN, NAN, pairs=0), ROWS[4]]) == "Nothing is compared with IMP yet."


def test_what_is_missing_is_said() -> None:
    said = [
        *race.remarks(
            [
                row("ticket", 0.979, NAN),
                row("snip", 0.96, NAN, lost=2, n=3),
                row("rigl", NAN, NAN, n=0, lost=5),
                row("one_shot", 0.96, 1.0, arm_density=0.05),
            ]
        )
    ]
    assert said == [
        "Replicates without a result, which may bias means and differences: snip 2, rigl 5.",
        "Unknown cost: ticket, snip. The tickets are of another run, or the version of ltr that trained them "
        "did not count it.",
        "Other densities: one_shot 5.00 %.",
    ]
    assert [*race.remarks(ROWS)] == []
    assert lines(race.text(table(row("rigl", NAN, NAN, n=0, pairs=0), ROWS[4])))["rigl"] == [
        "-",
        "?",
        "?",
        "-",
        "undecided",
    ]


def test_no_race_is_no_text() -> None:
    assert race.text(pd.DataFrame()) == ""


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (0.00131, "0.0013"), (0.094, "0.094"), (0.3, "0.30"), (99.4, "99.40"), (1234, "1234")],
)
def test_numbers_are_brief(number: float, shown: str) -> None:
    assert race.brief(number) == shown


# Figures


def part(of: Any, gid: str) -> list[Any]:
    return of.findobj(lambda artist: artist.get_gid() == gid)


def test_points_stand_at_their_costs_and_the_front_is_filled_and_joined() -> None:
    with in_style():
        figure = race_figure.race_figure(table(), "LeNet")
    (axes,) = figure.axes
    (snip,), (early_bird,) = (part(figure, f"{arm}:means") for arm in ("snip", "imp_early_bird_ticket"))
    assert (snip.get_xdata()[0], snip.get_ydata()[0]) == pytest.approx((0.0013, 96.9))
    assert early_bird.get_markerfacecolor() == "white"
    assert snip.get_markerfacecolor() == styles(ARMS)["snip"].colour
    (bar,) = part(figure, "snip:interval")
    assert bar.get_segments()[0][:, 1].tolist() == pytest.approx([96.7, 97.1])
    (front,) = (line for line in axes.lines if line.get_drawstyle() == "steps-post")
    assert front.get_ydata().tolist() == pytest.approx([95.6, 96.9, 97.85, 97.9])
    assert axes.get_xscale() == "log"
    assert {text.get_text() for text in axes.texts} == {
        "random mask",
        "snip",
        "imp early bird ticket",
        "imp coarse ticket",
        "ticket",
    }
    (margin,) = (line for line in axes.lines if line.get_linestyle() == ":")
    assert margin.get_ydata()[0] == pytest.approx(97.6)


def test_fifteen_names_do_not_touch() -> None:
    arms = [row(f"search_{n}", 0.97 + 0.0001 * n, 1.0) for n in range(14)]
    with in_style():
        (axes,) = race_figure.race_figure(table(*arms, ROWS[4]), "LeNet").axes
    heights = sorted(text.get_position()[1] for text in axes.texts)
    size = axes.figure.get_size_inches()[1] * axes.get_position().height
    assert min(np.diff(heights)) * size > 7 / 72, "inches from one line of 7 points to the next"


def test_unknown_costs_and_methods_without_a_result_are_not_drawn(tmp_path: Path) -> None:
    unknown = table(row("ticket", 0.979, NAN), row("snip", 0.97, NAN))
    assert race_figure.draw(unknown, "LeNet", tmp_path) == []
    known = table(*ROWS, row("rigl", NAN, NAN, n=0), row("one_shot", 0.97, NAN))
    assert [path.name for path in race_figure.draw(known, "LeNet", tmp_path)] == [
        "race_round_15.png",
        "race_round_15.svg",
    ]
    assert "one-shot" not in (tmp_path / "race_round_15.svg").read_text()


# Conclusions of a run


def raced(results: Callable[..., pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame, Any]:
    """The tables and the configuration of a run with two searches and a control."""
    arms = ["ticket", "snip", "one_shot", "random_reinit"]
    lanes = results(arms=arms).assign(search_flops=1e8)
    timings = lanes[["replicate", "arm", "draw", "round"]].assign(seconds=1.0, search_seconds=2.0)
    arm = {"snip": {"mask": "snip"}, "one_shot": {"mask": "one_shot"}, "random_reinit": {"weights": "reinit"}}
    asked = parse({"rounds": 4, "arms": arms, "control_rounds": [4], "arm": arm})
    return lanes, timings, asked


def test_a_run_ends_with_its_race(results: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    lanes, timings, asked = raced(results)
    text = conclusion(tmp_path, lanes, asked, {}, [], [], 1.0, timings)
    assert text.count("Race of the searches.") == 1
    assert lines(text)["snip"][3:6] == ["0.10", "2.00", "1.0"]


def test_means_leave_out_what_the_race_says(results: Callable[..., pd.DataFrame]) -> None:
    lanes, _, asked = raced(results)
    (means,) = (text for text in findings(lanes, asked, {}) if text.startswith("Means"))
    assert "the same mask with fresh weights" in means
    assert "snip" not in means
    assert "one-shot" not in means


def test_a_run_without_a_race_has_none(results: Callable[..., pd.DataFrame], tmp_path: Path) -> None:
    lanes = results()
    text = conclusion(tmp_path, lanes, parse({"rounds": 4}), {}, [], [], 1.0, pd.DataFrame())
    assert "Race" not in text
    assert "one-shot pruning" in text

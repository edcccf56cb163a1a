"""The page as text: what stands in it, and that every number is one of the tables."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from ltr.analysis.comparison import compare
from ltr.analysis.mixed_model import Share
from ltr.analysis.summary import by_round
from ltr.analysis.variance import Variance
from ltr.analysis.verdicts import verdicts
from ltr.config.parse import parse
from ltr.report.page import Subject, page, render
from ltr.store import tables
from tests.marks import slow

ARMS = ["ticket", "random_reinit", "random_mask", "one_shot"]


class Read(HTMLParser):
    """Collects the numbers of each section, and what the markers of figures say."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.numbers: dict[str, list[float]] = {}
        self.said: dict[str, list[str]] = {}
        self.sections: list[str] = []
        self._within, self._figure, self._in_title = "", "", False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag == "section":
            self._within = str(found["aria-labelledby"])
            self.sections.append(self._within)
        if tag == "figure":
            self._figure = str(found["id"])
        self._in_title = tag == "title"
        if tag == "data":
            self.numbers.setdefault(self._within, []).append(float(str(found["value"])))

    def handle_endtag(self, tag: str) -> None:
        self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title and self._figure:
            self.said.setdefault(self._figure, []).append(data)


@pytest.fixture(scope="module")
def lanes(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The results as they stand in Parquet."""
    folder = tmp_path_factory.mktemp("stored")
    tables.write(folder, "results", subject.results)
    return pq.read_table(folder / "results.parquet").to_pandas().astype({"accuracy_at_early_stop": float})


@pytest.fixture(scope="module")
def stored(subject: Subject, lanes: pd.DataFrame) -> Subject:
    """The run as it is read from its tables."""
    return subject._replace(results=lanes, verdicts=verdicts(lanes, subject.looks))


@pytest.fixture(scope="module")
def html(stored: Subject) -> str:
    """Its page."""
    return page([stored])


@pytest.fixture
def _without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write none, where the rest of a page is what is asked for."""
    monkeypatch.setattr(render, "inline", lambda *_: "")


def between(text: str, start: str, end: str) -> str:
    """From after the first `start` to before the next `end`."""
    return text.partition(start)[2].partition(end)[0]


def mean(lanes: pd.DataFrame, round_number: int, arm: str, column: str) -> float:
    """Over draws, then over replicates."""
    rows = lanes[(lanes["round"] == round_number) & (lanes["arm"] == arm)]
    return float(rows.groupby("replicate")[column].mean().mean())


def test_every_number_of_the_rounds_is_one_of_the_tables(html: str, lanes: pd.DataFrame) -> None:
    expected = []
    for round_number in range(5):
        expected.append(0.6**round_number)
        for arm in ARMS if round_number else ARMS[:1]:
            expected += [
                mean(lanes, round_number, arm, name) for name in ("accuracy_at_early_stop", "early_stop_step")
            ]
    assert Read(html).numbers["r0-rounds"] == pytest.approx(expected, rel=1e-9)


def test_every_number_of_the_claims_is_one_of_the_tables(html: str, lanes: pd.DataFrame) -> None:
    """Density, the replicates that might decide it, effect, interval, p and n of each."""
    rows = re.findall(r"<tr>(.*?)</tr>", between(html, '<table class="claims">', "</table>"), re.S)
    values = [[float(value) for value in re.findall(r'<data value="([^"]*)"', row)] for row in rows]
    found = [row for row in values if row]
    accuracy = "accuracy_at_early_stop"
    of_arm = dict(zip(("weights", "structure", "iterating"), ARMS[1:], strict=True))
    gains = [mean(lanes, n, "ticket", accuracy) - mean(lanes, 0, "ticket", accuracy) for n in range(1, 5)]
    controls = [
        mean(lanes, round_number, "ticket", accuracy) - mean(lanes, round_number, arm, accuracy)
        for name, arm in of_arm.items()
        for round_number in range(2 if name == "iterating" else 1, 5)
    ]
    effects = [row[-5 if len(row) > 5 else -3] for row in found]
    assert effects[:4] == pytest.approx(gains)
    assert effects[12 : 12 + len(controls)] == pytest.approx(controls), "after three claims of four rounds"
    assert {len(row) for row in found} <= {4, 6, 7}, "equal steps have no interval"
    for density, *needed, effect, low, high, p, n in (row for row in found if len(row) > 5):
        assert any(density == pytest.approx(0.6**round_number) for round_number in range(1, 5))
        assert low <= effect <= high
        assert 0 <= p <= 1
        assert n == 3
        assert not needed or needed[0] > 3


def test_claims_at_a_glance_are_those_of_the_table(html: str) -> None:
    glance = between(html, '<dl class="glance"', "</dl>")
    badges = re.findall(
        r'class="badge (\w+)"><b>([\d.]+ %)</b> ([+−×])([\d.]+)<span class="hidden">, (\w+)', glance
    )
    rows = re.findall(
        r'>([\d.]+ %)</data></td>\s*<td><span class="badge (\w+)".*?'
        r'<td class="num"><data value="([^"]*)".*?unit">(.*?)<',
        between(html, '<table class="claims">', "</table>"),
        re.S,
    )
    assert len(badges) == len(rows) > 20
    for (verdict, density, sign, size, said), (at, on_status, effect, unit) in zip(badges, rows, strict=True):
        assert (verdict, said, density) == (on_status, on_status, at)
        assert (sign == "×") == (unit == "log₂")
        shown = {"×": 2 ** float(effect), "+": 100 * float(effect), "−": -100 * float(effect)}[sign]
        assert float(size) == pytest.approx(shown, abs=0.0051)
    assert set(re.findall(r"n = (\d+)<", glance)) == {"3"}


def test_markers_say_the_numbers_that_they_stand_for(html: str, stored: Subject, lanes: pd.DataFrame) -> None:
    said, column = Read(html).said, "accuracy_at_early_stop"
    half = by_round(lanes).set_index(["round", "arm"])["accuracy_ci95"]
    expected = {
        f"{label}, {density} % of the weights: {100 * mean(lanes, round_number, arm, column):.2f} ± "
        f"{100 * half[round_number, arm]:.2f} %"
        for arm, label in zip(ARMS, ("ticket", "random reinit", "random mask", "one-shot"), strict=True)
        for round_number, density in enumerate(("100", "60", "36", "22", "13"))
        if round_number or arm == "ticket"
    }
    assert set(said["r0-accuracy"]) == expected
    spent = lanes[lanes["arm"] == "ticket"].groupby("round")["flops"].mean().cumsum()
    costs = [
        float(text.split(" after ")[1].split()[0]) for text in said["r0-cost"] if text.startswith("ticket")
    ]
    assert costs == pytest.approx(spent.tolist(), rel=0.05)
    layers = [text for text in said["r0-layers"] if text.startswith("hidden_1, round 4")]
    kept = np.mean([ticket["hidden_1"].kept.mean() for ticket in stored.last])
    assert layers == [f"hidden_1, round 4: {100 * kept:.0f} % of its weights"]


def test_a_page_has_all_its_parts_and_nothing_from_elsewhere(html: str) -> None:
    sections = Read(html).sections
    assert sections == ["r0-claims", "r0-figures", "r0-rounds", "r0-again"]
    figures = re.findall(r'<figure id="r0-(\w+)">', html)
    assert figures == ["accuracy", "early_stop", "learning", "cost", "layers", "initial", "pixels"]
    links = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')\s>]+)', html)
    assert [link for link in links if not link.startswith(("#", "data:"))] == []
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert "a training took 1.5 s at 100 %, 1.5 s at 13 % of the weights" in html
    assert "ltr run rounds=4 &#39;claims.densities=[]&#39;" in html


@pytest.mark.slow
def test_runs_are_shown_side_by_side_and_each_alone(subject: Subject) -> None:
    other = subject._replace(name="another", settings={"rounds": 4, "prune_rate": 0.4})
    compared = compare([subject.results, other.results], "ticket", [True, True])
    html = page([subject, other], compared)
    assert Read(html).sections[0] == "compared"
    expected = [
        value
        for row in compared.to_dict("records")
        for value in (row["density"], row["accuracy"], row["difference"], row["beside_density"])
        if not np.isnan(value)
    ]
    assert Read(html).numbers["compared"] == pytest.approx(expected)
    assert "prune_rate" in html
    assert 'id="r1-accuracy"' in html
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("rounds", [0, slow(1)])
def test_a_young_run_has_a_page(rounds: int, subject: Subject, results: Callable[..., pd.DataFrame]) -> None:
    young = subject._replace(results=results(rounds=rounds, replicates=1), last=[])
    assert "r0-again" in page([young])


def test_a_run_that_has_trained_nothing_has_a_page(subject: Subject) -> None:
    none = {name: getattr(subject, name).head(0) for name in ("results", "metrics", "timings")}
    assert "No dense network has been trained yet." in page([subject._replace(**none, last=[])])


@pytest.mark.usefixtures("_without_figures")
def test_names_are_escaped(subject: Subject) -> None:
    bad = "<script>alert(1)</script>"
    assert "<script>alert" not in page([subject._replace(name=bad, title=bad)])


def test_the_headline_is_in_words_and_the_folder_is_named(html: str) -> None:
    assert "<h1>LeNet-300-100 on digits</h1>" in html
    assert "digits-lenet_300_100-0123456789" in html


@pytest.mark.slow
@pytest.mark.usefixtures("_without_figures")
def test_runs_that_have_trained_nothing_stand_beside_others(subject: Subject) -> None:
    none = {name: getattr(subject, name).head(0) for name in ("results", "metrics", "timings")}
    young = subject._replace(**none, last=[])
    compared = compare([subject.results, young.results], "ticket", [True, True])
    assert 'id="compared"' in page([subject, young], compared)
    assert 'id="compared"' not in page([young, young], compare([young.results] * 2, "ticket", [True, True]))


@pytest.mark.slow
@pytest.mark.usefixtures("_without_figures")
def test_diverged_lanes_are_named_beside_the_comparison(subject: Subject) -> None:
    lost = subject.results.copy()
    lost.loc[lost["replicate"] == 0, ["accuracy_at_early_stop", "final_accuracy", "early_stop_step"]] = np.nan
    lost.loc[lost["replicate"] == 0, "diverged_step"] = 20
    tables = [subject.results, lost[(lost["replicate"] > 0) | (lost["round"] == 0)]]
    subjects = [subject, subject._replace(results=tables[1])]
    html = page(subjects, compare(tables, "ticket", [True, True]))
    assert "Means are without diverged lanes (B 1), which may bias differences." in html
    whole = page([subject] * 2, compare([subject.results] * 2, "ticket", [True, True]))
    assert "without diverged lanes" not in whole


@pytest.mark.parametrize("together", [True, False])
def test_runs_without_any_result_are_not_side_by_side(together: bool, subject: Subject) -> None:
    lost = subject.results[subject.results["round"] == 0].assign(
        accuracy_at_early_stop=np.nan, final_accuracy=np.nan, early_stop_step=np.nan, diverged_step=20
    )
    subjects = [subject._replace(results=lost, verdicts={}, looks=[], last=[])] * 2
    assert 'id="compared"' not in page(subjects, compare([lost] * 2, "ticket", [True, together]))


@pytest.mark.slow
def test_without_its_data_a_run_has_a_page_without_pixels(subject: Subject) -> None:
    html = page([subject._replace(image=None)])
    assert "r0-initial" in html
    assert "r0-pixels" not in html


@pytest.mark.usefixtures("_without_figures")
def test_tickets_of_another_run_have_no_cost_of_a_search(subject: Subject) -> None:
    assert "r0-cost" not in page([subject._replace(experiment=parse({"rounds": 4, "ticket": "other"}))])


def test_crossed_trainings_have_a_figure_of_their_shares(subject: Subject) -> None:
    shares = (Share(("weights",), 0.6, 0.1, 0.9), Share((), 0.4, 0.1, 0.9))
    levels = {"weights": 4, "order": 2, "mask": 1}
    crossed = Variance("accuracy", 4, 0.4, levels, 8, 0, 0.9, 0.01, None, shares)
    with_it, without = (page([one]) for one in (subject._replace(variances=[crossed]), subject))
    assert "accuracy, initial weights: 60 % (10 to 90)" in with_it
    assert "4 initial weights x 2 data orders x 1 mask." in with_it
    assert "Where the variance comes from" in with_it
    assert "Where the variance comes from" not in without


def test_curves_are_of_as_many_rounds_as_may_be_evenly() -> None:
    assert render._thinned([0, 3]) == [0, 3]
    assert render._thinned(range(16)) == [0, 4, 8, 11, 15]


@pytest.mark.slow
def test_a_layer_that_is_gone_altogether_is_left_out_where_it_is(subject: Subject) -> None:
    layers = subject.layers.copy()
    gone = (layers["layer"] == "hidden_1") & (layers["round"] == 4)
    layers.loc[gone, ["kept", "density"]] = 0
    said = Read(page([subject._replace(layers=layers)])).said["r0-layers"]
    assert not any(text.startswith("hidden_1, round 4") for text in said)
    assert any(text.startswith("hidden_1, round 3") for text in said)


@pytest.mark.usefixtures("_without_figures")
def test_what_it_took_is_what_the_table_of_times_says(subject: Subject, tmp_path: Path) -> None:
    rounds = subject.timings["round"].to_numpy()
    tables.write(tmp_path, "timings", subject.timings.assign(seconds=2.0 + rounds))
    times = pq.read_table(tmp_path / "timings.parquet").to_pandas()
    html = page([subject._replace(timings=times)])
    first, last = (times.loc[times["round"] == round_number, "seconds"].median() for round_number in (0, 4))
    assert f"a training took {first:.3g} s at 100 %, {last:.3g} s at 13 % of the weights" in html
    seconds = round(times["seconds"].sum())
    assert f"{len(times)} networks in {seconds // 60}:{seconds % 60:02} of device time" in html

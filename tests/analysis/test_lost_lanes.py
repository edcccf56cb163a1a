"""Lanes without a result are left out of means and tests, and counted."""

import numpy as np
import pandas as pd
import pytest

from ltr.analysis import verdicts as room
from ltr.analysis.claims import SUPPORTED, UNDECIDED
from ltr.analysis.comparison import compare
from ltr.analysis.registry import CLAIMS
from ltr.analysis.search_cost import search_cost
from ltr.analysis.summary import by_round, summary
from ltr.analysis.verdicts import look, verdicts
from ltr.config.schema import Experiment
from ltr.report import lost as sentences
from ltr.report.claims import claims_text
from ltr.report.findings import untested_means
from ltr.store.chains import End, ends
from tests.analysis.made_up import EVERY_ROUND, at_once, lanes, looks_at, lost, noise, nothing
from tests.marks import slow

RUN = lanes(lambda arm, n, p: 0.9 + 0.01 * p if arm == "ticket" else 0.8 + 0.011 * p, lambda *_: 5, 2, 5)
EXPERIMENT = Experiment(claims=EVERY_ROUND)


def measured(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the other columns of results."""
    return table.assign(final_accuracy=0.9, early_bird_step=None, dead_units=0, steps=1000, flops=1.0)


def test_means_are_of_the_lanes_with_a_result() -> None:
    torn = measured(lost(RUN, (1, 4, "ticket"), (1, 0, "random_mask")))
    cells = by_round(torn).set_index(["round", "arm"])
    expected = by_round(measured(RUN[(RUN["replicate"] < 4)])).set_index(["round", "arm"])
    for column in ("accuracy", "accuracy_ci95"):
        assert cells.loc[(1, "ticket"), column] == pytest.approx(expected.loc[(1, "ticket"), column])
    counts = cells[["n", "lanes", "diverged"]]
    assert counts.loc[(1, "ticket")].tolist() == [4, 5, 1]
    assert counts.loc[(1, "random_mask")].tolist() == [4, 5, 1]
    assert counts.loc[(1, "one_shot")].tolist() == [5, 5, 0]
    assert counts.loc[(2, "ticket")].tolist() == [4, 4, 0]
    assert cells["accuracy"].notna().all()


def test_a_cell_without_any_result_has_no_mean() -> None:
    torn = measured(lost(RUN, *((2, replicate, "one_shot") for replicate in range(5))))
    cell = by_round(torn).set_index(["round", "arm"]).loc[(2, "one_shot")]
    assert (cell["n"], cell["lanes"], cell["diverged"]) == (0, 5, 5)
    assert cell[["accuracy", "accuracy_ci95", "early_stop_step"]].isna().all()


def test_a_draw_that_diverged_leaves_the_mean_of_the_others() -> None:
    draws = [measured(RUN), measured(RUN).assign(draw=1, accuracy_at_early_stop=0.5)]
    torn = pd.concat([draws[0], lost(draws[1], (1, 0, "random_mask"))], ignore_index=True)
    masks = torn[torn["arm"] == "random_mask"]
    cell = by_round(masks[masks["round"] == 1]).iloc[0]
    means = [0.8, *((0.8 + 0.011 * p + 0.5) / 2 for p in range(1, 5))]
    assert cell["accuracy"] == pytest.approx(np.mean(means))
    assert (cell["n"], cell["lanes"], cell["diverged"]) == (5, 10, 1)


def test_the_line_of_a_run_counts_them() -> None:
    torn = measured(lost(RUN, (1, 4, "ticket"), (2, 0, "one_shot")))
    line = summary(lost(torn, (2, 3, "ticket"), layer="output"), EXPERIMENT)
    assert (line["diverged"], line["ended"], line["replicates"]) == (2, 2, 5)
    assert line["lanes"] == len(RUN) - 4 - 4
    assert line["ticket_accuracy"] == pytest.approx(np.mean([0.9, 0.91, 0.92]))


def test_only_a_replicate_that_lacks_rounds_ended_early() -> None:
    torn = measured(lost(RUN, (1, 4, "ticket"), (2, 3, "ticket")))
    assert summary(torn, Experiment(rounds=2))["ended"] == 1
    assert summary(torn, Experiment(rounds=2, ticket="another"))["ended"] == 0


def test_a_round_whose_tickets_were_not_trained_is_not_done() -> None:
    torn = measured(lost(RUN, *((2, replicate, "ticket") for replicate in range(5)), layer="output"))
    assert summary(torn, EXPERIMENT)["rounds_done"] == 1


def test_a_run_whose_last_tickets_have_no_result_is_summed_up_by_those_before() -> None:
    torn = measured(lost(RUN, *((2, replicate, "ticket") for replicate in range(5))))
    assert summary(torn, EXPERIMENT)["density"] == pytest.approx(0.8)


def test_the_cost_of_a_search_is_that_of_the_chains_that_reach_a_round() -> None:
    cost = search_cost(measured(lost(RUN, (2, 4, "ticket")))).set_index(["arm", "round"])
    assert cost.loc[("ticket", 2), "flops"] == 3
    assert cost.loc[("ticket", 2), "accuracy"] == pytest.approx(np.mean([0.9, 0.91, 0.92, 0.93]))


def test_a_chain_ends_at_its_first_ticket_without_a_result() -> None:
    torn = lost(lost(RUN, (1, 4, "ticket"), (1, 0, "one_shot")), (2, 3, "ticket"), layer="output")
    found = ends(torn, EXPERIMENT)
    assert found == {4: End(4, 1, 100, None), 3: End(3, 2, None, "output")}
    assert [found[replicate].last_round for replicate in (4, 3)] == [1, 1]


def test_claims_rest_on_the_pairs_with_both_results() -> None:
    torn = lost(RUN, (1, 4, "ticket"), (1, 0, "random_mask"), (2, 1, "random_mask"))
    found = at_once(torn)
    assert [(one.n, one.lost) for one in found["structure"]] == [(3, 2), (3, 2)]
    assert [(one.n, one.lost) for one in found["iterating"]] == [(4, 1)]
    assert [(one.n, one.lost) for one in found["matches"]] == [(4, 1), (4, 1)]


def test_too_few_pairs_decide_nothing() -> None:
    whole, torn = (
        at_once(table)["weights"][0]
        for table in (RUN, lost(RUN, *((1, replicate, "random_reinit") for replicate in range(3))))
    )
    assert (whole.verdict, torn.verdict) == (SUPPORTED, UNDECIDED)
    assert (torn.n, torn.lost, torn.p) == (2, 3, 1.0)


def test_a_claim_without_any_pair_is_undecided() -> None:
    torn = at_once(lost(RUN, *((1, replicate, "random_reinit") for replicate in range(5))))["weights"]
    assert [(one.round, one.verdict, one.n, one.lost) for one in torn] == [
        (1, UNDECIDED, 0, 5),
        (2, SUPPORTED, 5, 0),
    ]
    assert np.isnan([torn[0].effect, torn[0].low, torn[0].bootstrap_low]).all()


def test_an_arm_that_was_not_trained_has_no_verdict() -> None:
    assert "structure" not in at_once(RUN[RUN["arm"] != "random_mask"])


def test_a_look_waits_for_no_lane_of_a_chain_that_ended() -> None:
    torn = lost(lost(RUN, (1, 0, "ticket")), (2, 1, "ticket"), layer="output")
    taken = look(torn, EXPERIMENT)
    assert taken is not None
    assert taken.replicates == 5
    under_way = torn[~((torn["replicate"] == 0) & (torn["arm"] == "one_shot"))]
    assert look(under_way, EXPERIMENT) is None, "a control of the round of its end is still to be trained"


def test_a_ticket_that_was_not_trained_makes_up_for_no_missing_lane() -> None:
    torn = lost(RUN, (2, 3, "ticket"), (2, 4, "ticket"), layer="output")
    under_way = torn[~((torn["replicate"] >= 3) & (torn["arm"] == "random_mask"))]
    taken = look(under_way, EXPERIMENT)
    assert taken is not None
    assert taken.replicates == 3


def test_replicates_that_are_needed_allow_for_those_that_are_lost() -> None:
    table = lanes(noise(0.01), lambda *_: 5, rounds=1, n=8)
    whole = at_once(table[table["replicate"] < 6])["structure"][0]
    torn = at_once(lost(table, (1, 6, "random_mask"), (1, 7, "random_mask")))["structure"][0]
    assert (whole.n, torn.n, torn.lost) == (6, 6, 2)
    assert whole.needed is not None
    assert torn.needed == int(np.ceil(whole.needed * 8 / 6))


def test_runs_are_compared_over_the_replicates_with_results() -> None:
    one, other = measured(RUN), measured(lost(RUN, (1, 4, "ticket"), (0, 0, "ticket")))
    for is_paired in (True, False):
        found = compare([one, other], "ticket", [True, is_paired]).query("run == 1").set_index("round")
        assert found["diverged"].to_dict() == {0: 1, 1: 1, 2: 0}
        assert found["n"].to_dict() == {0: 4, 1: 3, 2: 3}
        assert found["difference_n"].to_dict() == {0: 4, 1: 3, 2: 3}


def test_runs_without_any_result_are_compared_by_what_they_lost() -> None:
    torn = measured(lost(RUN, *((0, replicate, "ticket") for replicate in range(5))))
    found = compare([torn, torn], "ticket", [True, True])
    assert found[["run", "round", "n", "diverged"]].to_numpy().tolist() == [[0, 0, 0, 5], [1, 0, 0, 5]]
    assert found[["accuracy", "difference"]].isna().all(axis=None)


@pytest.mark.parametrize("runs", [20, slow(200)])
def test_lanes_that_are_lost_at_random_leave_the_error_rate(
    runs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing differs, and a fifth of the lanes diverge. (`matches` holds there; it is left out.)"""
    monkeypatch.setattr(room, "bootstrap", lambda _: (0.0, 0.0))
    monkeypatch.setattr(room, "replicates_needed", lambda *_: None)
    tried = [name for name in CLAIMS if name != "matches"]
    wrong, generator = dict.fromkeys(tried, 0), np.random.default_rng(0)
    for seed in range(runs):
        table = nothing(seed, rounds=2, n=10)
        keys = [*table[["round", "replicate", "arm"]].itertuples(index=False, name=None)]
        found = at_once(lost(table, *(lane for lane in keys if generator.random() < 0.2)))
        for name in tried:
            wrong[name] += any(one.verdict != UNDECIDED for one in found[name])
    assert max(wrong.values()) <= 0.05 * runs + 2 * np.sqrt(runs * 0.05 * 0.95), wrong


@pytest.mark.parametrize(
    ("replicates", "said"),
    [
        ([2], "round 2, replicate 2: pruning emptied layer output, so its rounds end here; "),
        ([1, 2, 3], "round 2, replicates 1 to 3: pruning emptied layer output, so their rounds end here; "),
    ],
)
def test_a_warning_says_whose_layer_was_emptied(replicates: list[int], said: str) -> None:
    torn = lost(RUN, *((2, replicate, "ticket") for replicate in replicates), layer="output")
    assert sentences.warning_of_emptied(torn[torn["emptied_layer"].notna()]).startswith(said)


@pytest.mark.parametrize(
    ("lane", "said"),
    [((0, 4, "ticket"), "; 1 of 5 replicates left out"), ((2, 4, "ticket"), "; up to 1 of 5 replicates")],
)
def test_claims_say_whether_every_round_leaves_out_as_many(lane: tuple[int, int, str], said: str) -> None:
    table = lost(RUN, lane)
    looks = looks_at(table, [5])
    assert said in " ".join(claims_text(verdicts(table, looks), looks).split())


def test_means_name_a_control_without_any_pair() -> None:
    torn = lost(RUN[RUN["replicate"] < 2], (2, 0, "ticket"), (2, 1, "random_mask"))
    (clauses,) = (text for text in untested_means(measured(torn)).split(". ") if text.startswith("Against"))
    assert "a random mask has no replicate in common, one-shot pruning loses 9.90 pp" in clauses


def test_sentences_say_what_diverged_and_what_ended() -> None:
    torn = lost(lost(RUN, (1, 4, "ticket"), (1, 0, "one_shot")), (2, 3, "ticket"), layer="output")
    assert [*sentences.sentences(torn, EXPERIMENT)] == [
        "2 of 37 trainings diverged (ticket 1, one_shot 1; the first is round 1, replicate 0, one_shot, draw "
        "0, at step 100): loss or weights were no longer finite. Means and claims leave them out, which may "
        "favour the arms that lost them.",
        "Replicate 3 ends in round 2, where pruning emptied layer output; replicate 4 ends in round 1, where "
        "the ticket diverged: their later rounds are not trained.",
    ]
    assert [*sentences.sentences(RUN, EXPERIMENT)] == []

"""Results of made-up runs."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from ltr.analysis.verdicts import Verdict, look, verdicts, with_look
from ltr.config.schema import Claims, Experiment
from ltr.store.looks import Look

ARMS = ("ticket", "random_reinit", "random_mask", "one_shot")
LOSS = {"ticket": 0.001, "random_reinit": 0.006, "random_mask": 0.012, "one_shot": 0.004}


@pytest.fixture(scope="session")
def results() -> Callable[..., pd.DataFrame]:
    """Makes a results table in which every arm but the ticket loses accuracy and speed by the round."""

    def make(
        rounds: int = 4,
        replicates: int = 3,
        arms: Sequence[str] = ARMS,
        censored_from: int = 99,
        early_birds: bool = False,
    ) -> pd.DataFrame:
        noise = np.random.default_rng(0).normal(0, 0.0005, (rounds + 1, replicates, len(arms)))
        return pd.DataFrame(
            {
                "replicate": replicate,
                "arm": arm,
                "draw": 0,
                "round": round_number,
                "density": 0.6**round_number,
                "early_stop_step": 200 + 50 * round_number + 25 * replicate,
                "accuracy_at_early_stop": 0.98
                - LOSS.get(arm, 0.02) * round_number
                + noise[round_number, replicate, i],
                "final_accuracy": 0.97,
                "censored": round_number >= censored_from,
                "steps": 1000,
                "flops": 1e9,
                "early_bird_step": 100 + round_number if early_birds and arm == "ticket" else None,
                "reached_outputs": 10,
                "dead_units": 0,
                "diverged_step": None,
                "emptied_layer": None,
            }
            for round_number in range(rounds + 1)
            for replicate in range(replicates)
            for i, arm in enumerate(arms if round_number else arms[:1])
        )

    return make


Judged = tuple[dict[str, list[Verdict]], list[Look]]


@pytest.fixture(scope="session")
def judged() -> Callable[..., Judged]:
    """The verdicts on a results table, and the looks for them, the last of which is at everything."""

    def judge(table: pd.DataFrame, *earlier: int, densities: Sequence[float] = ()) -> Judged:
        asked = Experiment(claims=Claims(densities=tuple(densities)))
        taken: list[Look] = []
        for n in (*earlier, 10**6):
            taken = with_look(taken, look(table[table["replicate"] < n], asked))
        return verdicts(table, taken), taken

    return judge

"""Results of made-up runs, and the looks at them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ltr.analysis.verdicts import Verdict, look, verdicts, with_look
from ltr.config.schema import Claims, Experiment
from ltr.store.looks import Look

ARMS = ("random_reinit", "random_mask", "one_shot")
LAST = 1000
EVERY_ROUND = Claims(densities=())


def at_once(table: pd.DataFrame, asked: Claims = EVERY_ROUND) -> dict[str, list[Verdict]]:
    """The verdicts of one look at everything."""
    return verdicts(table, looks_at(table, [max(table["replicate"], default=0) + 1], asked))


def looks_at(table: pd.DataFrame, replicates: Sequence[int], asked: Claims = EVERY_ROUND) -> list[Look]:
    """The looks at the first so many replicates, one after the other."""
    taken: list[Look] = []
    for n in replicates:
        taken = with_look(taken, look(table[table["replicate"] < n], Experiment(claims=asked)))
    return taken


def lanes(accuracy: Callable[..., float], steps: Callable[..., float], rounds: int, n: int) -> pd.DataFrame:
    """A results table: `accuracy` and `steps` of (arm, round, replicate); a step at `LAST` is censored."""
    rows: list[dict[str, Any]] = []
    for round_number in range(rounds + 1):
        for arm in ("ticket", *ARMS) if round_number else ("ticket",):
            for replicate in range(n):
                lane = {
                    "round": round_number,
                    "replicate": replicate,
                    "arm": arm,
                    "draw": 0,
                    "density": 0.8**round_number,
                }
                step = min(LAST, steps(arm, round_number, replicate))
                lane |= {"accuracy_at_early_stop": accuracy(arm, round_number, replicate)}
                lane |= {"reached_outputs": 10, "diverged_step": None, "emptied_layer": None}
                rows.append(lane | {"early_stop_step": step, "censored": step == LAST})
    return pd.DataFrame(rows)


def noise(size: float, seed: int = 0) -> Callable[..., float]:
    generator = np.random.default_rng(seed)
    return lambda *_: float(generator.normal(0, size))


def of_arm(table: pd.DataFrame, arm: str, round_number: int = 1) -> pd.Series:
    return table[(table["arm"] == arm) & (table["round"] == round_number)].set_index("replicate")[
        "accuracy_at_early_stop"
    ]


def nothing(seed: int, rounds: int, n: int) -> pd.DataFrame:
    """A run in which nothing differs."""
    accuracy, steps = noise(0.01, seed), noise(100, 10**6 + seed)
    return lanes(lambda *_: 0.9 + accuracy(), lambda *_: max(1, 500 + steps()), rounds, n)


def lost(table: pd.DataFrame, *lanes: tuple[int, int, str], layer: str | None = None) -> pd.DataFrame:
    """The table after some lanes (round, replicate, arm) diverged, without what follows in their chains.

    With `layer` pruning emptied that layer, so they were not trained.
    """
    table, keys = table.copy(), ["round", "replicate", "arm"]
    gone = table[keys].apply(tuple, axis=1).isin(lanes)
    table.loc[gone, ["accuracy_at_early_stop", "early_stop_step"]] = np.nan
    table.loc[gone, "censored"] = False
    table.loc[gone, "emptied_layer" if layer else "diverged_step"] = layer or 100
    for round_number, replicate, arm in lanes:
        if arm == "ticket":
            of_replicate = table["replicate"] == replicate
            table = table[~(of_replicate & (table["round"] > round_number))]
            if layer:
                here = of_replicate & (table["round"] == round_number)
                table = table[~(here.reindex(table.index) & (table["arm"] != "ticket"))]
    return table.reset_index(drop=True)

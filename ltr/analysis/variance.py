"""Where the variance of tickets comes from: initial weights, data order and mask, crossed.

The cells are the lanes of arms that differ only in the replicate that their mask is of, and have data orders
that replicates share (`mask_replicate`, `order=draw`). A cell is the sum of a mean, of what a mask gains on
the initial weights that it was found with, and of random effects: of the weights, the order and the mask, and
of pairs of them. It is one training, which repeats exactly, so what is left is the interaction of all three.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd

from ltr.analysis.mixed_model import Share, fit, require
from ltr.analysis.statistics import Estimate
from ltr.config.schema import Arm, Experiment
from ltr.store.chains import has_result

FACTORS = ("weights", "order", "mask")
"""Factors of the design: replicate of the initial weights, draw of the order, replicate of the mask."""

MEASURES = {"accuracy": "accuracy_at_early_stop", "early_stop_step": "early_stop_step"}
"""Measures, each with its column of the results table."""

OWN = "own"
"""Fixed effect: whether the mask was found with these initial weights."""


class Variance(NamedTuple):
    """Variance of a measure over the cells of a round.

    Attributes:
        measure: one of `MEASURES`; accuracies are fractions.
        round: the last round that has cells.
        density: density of the masks.
        levels: number of levels of each factor.
        cells: number of cells with a result.
        lost: number of cells without one.
        mean: mean over the cells.
        deviation: standard deviation of a cell, with all components.
        own_gain: difference that it makes that the mask was found with these weights, by pairs of weights and
            mask; None if the cells do not tell.
        shares: shares of the components, the last for what is left; empty if all cells are equal.
    """

    measure: str
    round: int
    density: float
    levels: dict[str, int]
    cells: int
    lost: int
    mean: float
    deviation: float
    own_gain: Estimate | None
    shares: tuple[Share, ...]


def crossed_arms(experiment: Experiment) -> dict[str, int]:
    """Return the crossed arms of an experiment, with the replicate that the mask of each is of."""
    found = {}
    for name in experiment.arms:
        arm = experiment.arm.get(name, Arm())
        rest = dataclasses.replace(arm, mask_replicate=None, draws=1)
        if arm.mask_replicate is not None and rest == Arm(order="draw"):
            found[name] = arm.mask_replicate
    return found


def cells(results: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Return the cells of the last round that has any: `FACTORS`, `own`, `round`, `density`, `MEASURES`."""
    masks = crossed_arms(experiment)
    lanes = results[results["arm"].isin(list(masks))]
    lanes = lanes[lanes["round"] == lanes["round"].max()]
    mask = lanes["arm"].map(masks)
    columns = {
        "weights": lanes["replicate"],
        "order": lanes["draw"],
        "mask": mask,
        OWN: mask == lanes["replicate"],
        "round": lanes["round"],
        "density": lanes["density"],
    }
    measures = {name: lanes[column].astype("float64") for name, column in MEASURES.items()}
    return pd.DataFrame(columns | measures)[has_result(lanes)].reset_index(drop=True)


def variances(results: pd.DataFrame, experiment: Experiment) -> list[Variance]:
    """Return the variance of each measure over the crossed cells; empty without two cells.

    Raises:
        ConfigError: statsmodels is not installed.
    """
    found = cells(results, experiment)
    if len(found) < 2:
        return []
    require()
    is_cell = results["arm"].isin(list(crossed_arms(experiment))) & (results["round"] == found["round"][0])
    return [_variance(found, measure, int(is_cell.sum()) - len(found)) for measure in MEASURES]


def _variance(found: pd.DataFrame, measure: str, lost: int) -> Variance:
    values = found[measure]
    fitted = fit(values, found[list(FACTORS)], found[[OWN]])
    return Variance(
        measure,
        int(found["round"][0]),
        float(found["density"].mean()),
        {factor: int(found[factor].nunique()) for factor in FACTORS},
        len(found),
        lost,
        float(values.mean()),
        fitted.deviation if fitted else 0.0,
        own_gain(found, measure),
        fitted.shares if fitted else (),
    )


def own_gain(found: pd.DataFrame, measure: str) -> Estimate | None:
    """Estimate what a mask gains on the initial weights that it was found with, by least squares.

    The values are means over the orders of each pair of weights and mask. Weights and masks have effects of
    their own, so what is compared is how they fit. Its interval is exact if no cell is lost.
    """
    from statsmodels.regression.linear_model import OLS

    pairs = found.groupby(["weights", "mask"])[[measure, OWN]].mean().reset_index()
    effects = [pd.get_dummies(pairs[factor], dtype=float).to_numpy()[:, skip:] for factor, skip in _DUMMIES]
    design = np.column_stack([pairs[OWN], *effects])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    fitted = OLS(pairs[measure].to_numpy(), design).fit()
    low, high = fitted.conf_int()[0] if fitted.df_resid else (np.nan, np.nan)
    return Estimate(float(fitted.params[0]), float(high - low) / 2, len(pairs))


_DUMMIES = (("weights", 0), ("mask", 1))
"""Factors whose levels are fixed effects beside the gain, and how many levels are left out."""

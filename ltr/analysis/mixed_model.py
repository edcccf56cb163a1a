"""Random-effects model of crossed factors: the share of each component of the variance, with intervals.

The model and its restricted likelihood are those of `MixedLM` of statsmodels. Shares are searched here, since
`MixedLM.fit` stops short of the maximum where a component is zero, and has no intervals of shares.
"""

import itertools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from ltr.core.extras import install_command
from ltr.errors import ConfigError

EXTRA = "variance"
"""Extra that installs statsmodels."""

RESIDUAL = ()
"""Factors of the component that no effect of the model explains."""

DROP = 1.9207
"""Largest fall of the log-likelihood within a 95 % interval: half of that quantile of chi-squared_1."""

LEAST, LEAST_RESIDUAL = 1e-7, 1e-4
"""Smallest shares with which the likelihood is computed."""

TOLERANCE = 1e-3
"""Error of a log-likelihood that an end of an interval may have."""

Factors = tuple[str, ...]
Vector = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


class Share(NamedTuple):
    """Share of a component in the variance, and its 95 % interval, each from 0 to 1.

    `factors`: the factor, or the two factors that interact; `RESIDUAL` for what is left.
    """

    factors: Factors
    share: float
    low: float
    high: float


class Fit(NamedTuple):
    """Fitted model.

    Attributes:
        deviation: square root of the sum of all components.
        fixed: coefficient of each fixed effect that varies, by name.
        shares: share of each component; the last is the residual.
    """

    deviation: float
    fixed: dict[str, float]
    shares: tuple[Share, ...]


def require() -> None:
    """Raise ConfigError if statsmodels is not installed."""
    try:
        import statsmodels  # noqa: F401
    except ImportError:
        raise ConfigError(
            f"shares of variance: need the extra {EXTRA}; type: {install_command(EXTRA)}"
        ) from None


def effects(levels: pd.DataFrame) -> dict[Factors, Codes]:
    """Return the effects that a design identifies: factors and pairs of them, with the level of each value.

    Left out are those of a single level, those that group the values as another does, and those with a level
    for each value, as the residual has.
    """
    found: dict[Factors, Codes] = {}
    for size in (1, 2):
        for factors in itertools.combinations(levels.columns, size):
            codes = pd.factorize(pd.MultiIndex.from_frame(levels[list(factors)]))[0]
            is_new = not any(np.array_equal(codes, other) for other in found.values())
            if 0 < codes.max() < len(levels) - 1 and is_new:
                found[factors] = codes
    return found


def fit(values: pd.Series, levels: pd.DataFrame, fixed: pd.DataFrame) -> Fit | None:
    """Fit a mean, fixed effects, and random effects of the factors and of pairs of them, by REML.

    An interval is that of profile likelihood: the shares with which the restricted log-likelihood, maximised
    over all else, is at most `DROP` below its maximum. That of the residual reaches 1 if it may explain all.

    Args:
        values: a value of each training.
        levels: level of each factor, by column.
        fixed: fixed effects, by column; those that are constant are left out.

    Returns:
        None if the values are equal, or if the design identifies no effect.
    """
    from threadpoolctl import threadpool_limits

    groups, spread = effects(levels), float(np.std(values))
    if not groups or not spread:
        return None
    varying = [str(name) for name in fixed if fixed[name].nunique() > 1]
    exog = np.column_stack([np.ones(len(values)), *(fixed[name] for name in varying)]).astype(np.float64)
    likelihood = Likelihood(values.to_numpy(np.float64) / spread, exog, groups)
    with threadpool_limits(1):  # the matrices are small
        best = maximum(likelihood)
        intervals = [interval(likelihood, best, place) for place in range(len(best))]
    shares = zip([*groups, RESIDUAL], map(_rounded, best), intervals, strict=True)
    variance, coefficients = likelihood.scale(best)
    return Fit(
        spread * float(np.sqrt(variance)),
        {name: spread * float(value) for name, value in zip(varying, coefficients[1:], strict=True)},
        tuple(Share(factors, share, *ends) for factors, share, ends in shares),
    )


class Likelihood:
    """Restricted log-likelihood of shares, of which the residual's is the last; only their ratios matter."""

    def __init__(self, values: Vector, exog: Vector, groups: Mapping[Factors, Codes]) -> None:
        from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

        designs = [np.eye(codes.max() + 1)[codes] for codes in groups.values()]
        names = [" ".join(factors) for factors in groups]
        columns = [
            [[f"{name} {level}" for level in range(design.shape[1])]]
            for name, design in zip(names, designs, strict=True)
        ]
        spec = VCSpec(names, columns, [[design] for design in designs])
        self.model: Any = MixedLM(values, exog, np.zeros(len(values)), exog_vc=spec, use_sqrt=False)
        self.model.reml, self.model.cov_pen, self.model.fe_pen = True, None, None  # as its fit() does
        self.model._freepat, self.model._cov_sing = None, 0
        self.size = len(groups) + 1

    def value(self, shares: Vector) -> float:
        """Return the log-likelihood, maximised over the fixed effects and the variance."""
        return float(self.model.loglike(self._params(shares)))

    def gradient(self, shares: Vector) -> Vector:
        """Return the derivative by each share."""
        by_ratio = self.model.score(self._params(shares)) / shares[-1]
        return np.append(by_ratio, -by_ratio @ shares[:-1] / shares[-1])

    def scale(self, shares: Vector) -> tuple[float, Vector]:
        """Return the variance, and the coefficients of the fixed effects, that maximise it."""
        nothing, ratios = np.zeros((0, 0)), shares[:-1] / shares[-1]
        coefficients, _ = self.model.get_fe_params(nothing, ratios)
        return float(self.model.get_scale(coefficients, nothing, ratios)) / shares[-1], coefficients

    def _params(self, shares: Vector) -> Any:
        from statsmodels.regression.mixed_linear_model import MixedLMParams

        ratios = shares[:-1] / shares[-1]
        return MixedLMParams.from_components(self.model.exog[0], np.zeros((0, 0)), vcomp=ratios)


def maximum(likelihood: Likelihood) -> Vector:
    """Return the shares of highest likelihood, the best of searches from several starts."""
    size = likelihood.size
    starts = [np.append(np.full(size - 1, (1 - rest) / (size - 1)), rest) for rest in (1 / size, 0.05, 0.95)]
    found = [
        _search(size, lambda p: -likelihood.value(p), lambda p: -likelihood.gradient(p), start)
        for start in starts
    ]
    return max(found, key=likelihood.value)


def interval(likelihood: Likelihood, best: Vector, place: int) -> tuple[float, float]:
    """Return the smallest and the largest share of a component in the 95 % interval.

    Of searches from several starts the one counts that gets furthest.
    """
    own, lowest = np.eye(likelihood.size)[place], likelihood.value(best) - DROP
    within = {"type": "ineq", "fun": lambda p: likelihood.value(p) - lowest, "jac": likelihood.gradient}

    def furthest(direction: Vector, towards: Vector) -> float:
        def objective(shares: Vector) -> float:
            return float(direction @ shares)

        starts = (best, (best + towards) / 2)
        found = [_search(likelihood.size, objective, lambda _: direction, start, within) for start in starts]
        reached = [shares for shares in found if likelihood.value(shares) > lowest - TOLERANCE]
        return float(min((best, *reached), key=objective)[place])

    others = (1 - own) / (likelihood.size - 1)
    low, high = furthest(own, others), furthest(-own, own)
    if place == likelihood.size - 1 and _explains_all(likelihood, best):
        high = 1.0
    return _rounded(low), _rounded(high)


def _explains_all(likelihood: Likelihood, best: Vector) -> bool:
    """Return whether the residual may be all there is, so that all other components are at their bound of 0.

    Twice the fall of the log-likelihood is then a mixture of chi-squared with 0 to n degrees of freedom, by
    binomial weights (Self & Liang, 1987, for independent components; in small designs it is less).
    """
    from scipy.stats import binom, chi2

    alone = np.append(np.full(likelihood.size - 1, LEAST), 1.0)
    fall = likelihood.value(best) - likelihood.value(alone)
    degrees = np.arange(1, likelihood.size)
    p = binom.pmf(degrees, likelihood.size - 1, 0.5) @ chi2.sf(2 * fall, degrees)
    return bool(p > 0.05)


def _search(
    size: int,
    objective: Callable[[Vector], float],
    gradient: Callable[[Vector], Vector],
    start: Vector,
    *constraints: Any,
) -> Vector:
    """Return the shares that minimise an objective within constraints."""
    from scipy.optimize import minimize

    bounds = [(LEAST, 1.0)] * (size - 1) + [(LEAST_RESIDUAL, 1.0)]
    whole: Any = {"type": "eq", "fun": lambda p: p.sum() - 1, "jac": lambda _: np.ones(size)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Values in x were outside bounds")  # by rounding
        found = minimize(
            objective,
            np.clip(start, *np.transpose(bounds)),
            jac=gradient,
            bounds=bounds,
            constraints=[whole, *constraints],
            method="SLSQP",
            options={"maxiter": 200, "ftol": 1e-9},
        ).x
    return np.asarray(found / found.sum())


def _rounded(share: float) -> float:
    """Return a share; one next to 0 or 1, where the likelihood is not computed, as that."""
    if share < 2 * LEAST_RESIDUAL:
        return 0.0
    return 1.0 if share > 1 - 2 * LEAST_RESIDUAL else float(share)

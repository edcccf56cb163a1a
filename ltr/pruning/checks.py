"""Checks that pruning and rewinding fit the rest of an experiment; importable without JAX."""

from ltr.config.literals import literal
from ltr.config.parse import KnobError
from ltr.config.schema import Experiment
from ltr.core.registry import SCHEDULES
from ltr.errors import ConfigError
from ltr.pruning.registry import REWINDINGS, SCOPES


def check(experiment: Experiment) -> None:
    """Raise ConfigError if densities or the rewinding do not fit the rest of the experiment."""
    densities, scope = experiment.pruning.densities, experiment.pruning.scope
    if densities and not SCOPES[scope].has_total:
        others = [name for name, entry in SCOPES.items() if entry.has_total]
        raise KnobError(
            ["pruning", "densities"],
            f"pruning.densities={literal(densities)}: needs pruning={', '.join(others[:-1])} or "
            f"{others[-1]}; {scope} has a rate for each layer",
        )
    rewinding, schedule = REWINDINGS[experiment.rewind.name], experiment.optimizer.schedule
    if rewinding.needs_rewind_step_zero and experiment.rewind_step.amount:
        raise ConfigError(f"rewind_step={experiment.rewind_step}: must be 0 with rewind={rewinding.name}")
    if rewinding.trains_at_last_rate and SCHEDULES[schedule].ends_at_zero:
        raise ConfigError(
            f"optimizer.schedule={schedule}: ends at 0, which rewind={rewinding.name} cannot train at"
        )

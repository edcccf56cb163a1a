"""Runs from Python: `ltr.run`, `ltr.plan` and `ltr.compare`, with the knobs of the command line."""

import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ltr.compared import compared
from ltr.config.keywords import words as as_words
from ltr.config.overrides import overrides
from ltr.errors import StoppedError
from ltr.experiment import compose
from ltr.experiment.signals import Stop
from ltr.loaded import LoadedRun, load
from ltr.plugins import installed
from ltr.report.output import in_python
from ltr.store.catalog import Run, require_different
from ltr.store.identity import folder_name

if TYPE_CHECKING:
    from ltr.experiment.plan import Plan

_TURN = threading.Lock()
"""Held by the run that trains: it has all devices."""


def run(*words: str, progress: bool | None = None, **knobs: Any) -> LoadedRun:
    """Find lottery tickets, as `ltr run` does: train what the run lacks, and return all of it.

    A run that was stopped goes on, one that is finished trains nothing, and more rounds, replicates, draws
    or arms train only what is missing. On the same devices results are those of the command line, bit for
    bit. Runs of several threads take turns.

    Example:
        ```python
        run = ltr.run("experiment=mnist_lenet_quick", rounds=3, optimizer={"learning_rate": 1e-3})
        run = ltr.run(arms=["ticket", "random_mask"], **{"pruning.scope": "global"})
        ```

    Args:
        *words: `key=value`, as after `ltr run`.
        progress: whether messages and a bar are shown; None for in a notebook and on a terminal alone.
        **knobs: knobs and choices by name. A dictionary holds the knobs below a name, so that
            `optimizer={"momentum": 0.8}` is `optimizer.momentum=0.8`. None is `null`; text is taken as
            it is. They count after the words, in their order. (See `ltr.config.keywords.words`.)

    Returns:
        The run, with all rounds, replicates, draws and arms that it was ever asked for.

    Raises:
        ConfigError: a word, a knob or the whole configuration is wrong; nothing was trained.
        DataNotFoundError: the data set is not on this machine and cannot be fetched.
        LtrError: the run failed.
        KeyboardInterrupt: Ctrl-C, or the stop button of a notebook, ended the run; it left a checkpoint, and
            the same call goes on from there. In another thread than the main one no signal is seen.
        SystemExit: so did SIGTERM, as batch systems send it.
    """
    checked = _checked(words, knobs)
    composed = compose.composed(checked)
    experiment = compose.experiment_of(composed)
    from ltr.experiment.runner import conduct  # which imports JAX: what is wrong is said before

    typed = compose.repeatable(checked, composed.ticket, experiment)
    try:
        with _TURN, Stop() as stop:
            conduct(experiment, typed, stop, in_python(progress))
    except StoppedError as stopped:
        raise stopped.as_signal() from None
    return LoadedRun(Run(Path(experiment.output_root) / folder_name(experiment)))


def plan(*words: str, **knobs: Any) -> "Plan":
    """Say what `ltr.run` with the same words and knobs would do, without doing it.

    Example:
        ```python
        ltr.plan("experiment=mnist_lenet", replicates=3).seconds
        ```

    Args:
        *words: see `ltr.run`.
        **knobs: see `ltr.run`.

    Returns:
        Its id, folder, configuration, densities, number of trainings, time and memory.

    Raises:
        ConfigError: a word, a knob or the whole configuration is wrong.
    """
    experiment = compose.from_overrides(_checked(words, knobs))
    from ltr.experiment import plan as planning  # which imports JAX: what is wrong is said before
    from ltr.report.status_line import show_status

    return planning.plan(experiment, show_status)


def _checked(words: Sequence[str], knobs: Mapping[str, Any]) -> list[str]:
    """Return Hydra's overrides; warn of plug-ins that are left out, which may be what was meant."""
    for plugin in installed():
        if plugin.problem:
            warnings.warn(plugin.warning, stacklevel=3)
    return overrides(as_words(words, knobs))


def compare(
    runs: Sequence[LoadedRun | str | Path], arm: str = "ticket", output_root: str | Path = "outputs"
) -> pd.DataFrame:
    """Compare an arm of runs with that of the first of them, as `ltr compare` does.

    Example:
        ```python
        ltr.compare([ltr.run(seed=0), ltr.run(seed=0, prune_rate=0.4)])
        ```

    Args:
        runs: two or more; of those that are not loaded the folder, the id or the beginning of it.
        arm: whose rounds are compared.
        output_root: folder of the run folders.

    Returns:
        A row per round of a run, with the columns of `ltr compare --csv` (see
        `ltr.analysis.comparison.compare`). Its `attrs["runs"]` says of each run its folder, whether it is
        paired with the first, and the knobs in which they differ, None where one has its default.

    Raises:
        ConfigError: fewer than two runs, the same run twice, no such run, or a run without the arm.
        LtrError: a run is damaged.
    """
    loaded = [run if isinstance(run, LoadedRun) else load(run, output_root) for run in runs]
    require_different([str(run) for run in runs], [run.folder for run in loaded])
    found = compared(loaded, arm)
    found.rows.attrs["runs"] = found.runs
    return found.rows

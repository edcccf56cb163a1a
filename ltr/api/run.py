"""`ltr.run` and `ltr.plan`, with the knobs of the command line."""

import threading
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ltr import interrupts
from ltr.api.loaded import LoadedRun
from ltr.config.keywords import words as as_words
from ltr.config.overrides import overrides
from ltr.errors import StoppedError
from ltr.experiment import compose
from ltr.experiment.signals import Stop
from ltr.hosts import group
from ltr.plugins import installed
from ltr.report.output import in_python
from ltr.store.catalog import read
from ltr.store.identity import run_folder

if TYPE_CHECKING:
    from ltr.experiment.plan import Plan

_TRAINING = threading.Lock()
"""Lock of the run that trains; it uses all devices."""


def run(*words: str, progress: bool | None = None, **knobs: Any) -> LoadedRun:
    """Find lottery tickets, as `ltr run` does: train the missing lanes and return the whole run.

    A stopped run is resumed and a finished run trains nothing. More rounds, replicates, draws or arms
    train only the lanes that are missing. On the same devices the results are bit for bit those of the
    command line. Runs in several threads train one after the other.

    Example:
        ```python
        run = ltr.run("experiment=mnist_lenet_quick", rounds=3, optimizer={"learning_rate": 1e-3})
        run = ltr.run(arms=["ticket", "random_mask"], **{"pruning.scope": "global"})
        ```

    Args:
        *words: `key=value`, as after `ltr run`.
        progress: whether to show messages and a progress bar; None shows them in a notebook or a terminal.
        **knobs: knobs and choices by name. A dictionary holds the knobs of a group:
            `optimizer={"momentum": 0.8}` is `optimizer.momentum=0.8`. None is `null`; text is taken
            literally. Knobs are applied after the words, in order (see `ltr.config.keywords.words`).

    Returns:
        The run, with all rounds, replicates, draws and arms ever requested for it.

    Raises:
        ConfigError: a word, a knob or the whole configuration is wrong; nothing was trained.
        DataNotFoundError: the data set is not on this machine and cannot be fetched.
        LtrError: the run failed.
        OSError: a file cannot be written, as on a full disk; the same call goes on later.
        KeyboardInterrupt: Ctrl-C, or the stop button of a notebook, stopped the run after a checkpoint; the
            same call resumes it. Signals are handled in the main thread only.
        SystemExit: SIGTERM, which batch systems send, stopped the run after a checkpoint.
    """
    checked = _checked(words, knobs)
    composed = compose.composed(checked)
    experiment = compose.experiment_of(composed)
    group.require_none(experiment.hosts)
    from ltr.experiment.runner import conduct  # imports JAX; errors of the configuration come first

    typed = compose.repeatable(checked, composed.ticket, experiment)
    try:
        with _TRAINING, Stop() as stop:
            conduct(experiment, typed, stop, in_python(progress))
    except StoppedError as stopped:
        raise interrupts.exception(stopped.signal, str(stopped)) from None
    return LoadedRun(read(run_folder(experiment)))


def plan(*words: str, **knobs: Any) -> "Plan":
    """Return what `ltr.run` with the same words and knobs would do, without training.

    Example:
        ```python
        ltr.plan("experiment=mnist_lenet", replicates=3).seconds
        ```

    Args:
        *words: see `ltr.run`.
        **knobs: see `ltr.run`.

    Returns:
        The id, folder, configuration, densities, number of trainings, time and memory of the run.

    Raises:
        ConfigError: a word, a knob or the whole configuration is wrong, or there is too little memory.
    """
    experiment = compose.from_overrides(_checked(words, knobs))
    from ltr.experiment import plan as planning  # imports JAX; errors of the configuration come first
    from ltr.report.console import note
    from ltr.report.status_line import show_status

    return planning.plan(experiment, show_status, note)


def _checked(words: Sequence[str], knobs: Mapping[str, Any]) -> list[str]:
    """Return Hydra's overrides; warn of plug-ins that failed to load, as a knob may name one of theirs."""
    for plugin in installed():
        if plugin.problem:
            warnings.warn(plugin.warning, stacklevel=3)
    return overrides(as_words(words, knobs))

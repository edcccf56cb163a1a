"""Outcome of a study: a table of its trials, the best one, and what to type next."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ltr.config.overrides import typed_word
from ltr.core.plural import number_of
from ltr.report.text_table import WIDTH, Column, table
from ltr.tuning.study import Trial, best


def text(trials: Sequence[Trial], density: float, importances: Mapping[str, float], command: str) -> str:
    """Return the outcome as text of at most 80 columns, but for the command.

    Args:
        trials: of the study, in order.
        density: requested one.
        importances: of the knobs; empty if unknown.
        command: what to type next; empty if no trial has finished.
    """
    parts = [f"validation accuracy of the tickets at density {density:g}, in percent", _table(trials)]
    failed = [trial for trial in trials if trial.error]
    parts += [f"trial {trial.number} failed: {trial.error}" for trial in failed]
    if importances:
        shares = ", ".join(f"{key} {share:.0%}" for key, share in importances.items())
        parts.append(_wrapped(f"share of each knob in what accuracies differ by: {shares}"))
    if chosen := best(trials):
        parts.append(_wrapped(_caution(chosen, trials)))
        parts.append(f"  {command}")
    return "\n\n".join(parts)


def data(
    trials: Sequence[Trial], density: float, importances: Mapping[str, float], command: str
) -> dict[str, Any]:
    """Return the outcome as plain data, for JSON."""
    chosen = best(trials)
    return {
        "density": density,
        "trials": [trial._asdict() | {"words": _typed(trial)} for trial in trials],
        "best": chosen.number if chosen else None,
        "importances": dict(importances),
        "next": command or None,
    }


def _table(trials: Sequence[Trial]) -> str:
    keys = list(dict.fromkeys(word.partition("=")[0] for trial in trials for word in _typed(trial)))
    chosen = best(trials)
    columns = [
        *(Column("trial", is_number=True), Column("accuracy", is_number=True), Column("state")),
        *(Column(name, is_number=True) for name in _short(keys)),
        Column("run"),
    ]
    return table(columns, [_row(trial, keys, trial is chosen) for trial in trials])


def _short(keys: Sequence[str]) -> list[str]:
    """Return the last parts of dotted names, or the whole names if two have the same last part."""
    short = [key.rpartition(".")[2] for key in keys]
    return short if len({*short}) == len(keys) else list(keys)


def _row(trial: Trial, keys: Sequence[str], is_best: bool) -> list[str]:
    accuracy = "" if trial.accuracy is None else f"{100 * trial.accuracy:.2f}"
    state = f"{trial.state} at {trial.density:.3g}" if trial.state == "pruned" else trial.state
    values = dict(word.partition("=")[::2] for word in _typed(trial))
    run = trial.run.rpartition("-")[2]
    return [
        str(trial.number),
        accuracy,
        "best" if is_best else state,
        *(values.get(key, "") for key in keys),
        run,
    ]


def _caution(chosen: Trial, trials: Sequence[Trial]) -> str:
    """Return a warning of the bias of a maximum, and the introduction of the command."""
    accuracy = 100 * (chosen.accuracy or 0.0)
    return (
        f"Trial {chosen.number} is the best of {number_of(len(trials), 'trial')}. Its {accuracy:.2f} % were "
        "chosen because they are high, so they promise too much. Test it on a seed that no trial has seen, "
        "beside its controls:"
    )


def _typed(trial: Trial) -> list[str]:
    return [typed_word(word) for word in trial.words]


def _wrapped(sentence: str) -> str:
    return textwrap.fill(sentence, WIDTH, break_long_words=False, break_on_hyphens=False)

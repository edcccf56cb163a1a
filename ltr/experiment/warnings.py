"""Warnings at the beginning of a session: what slows it down, or makes its results hard to read."""

import logging
from collections.abc import Mapping

from ltr import kernels
from ltr.config.literals import literal
from ltr.core.plural import number_of
from ltr.core.registry import SCHEDULES
from ltr.experiment.placement import place
from ltr.experiment.spec import RunSpec
from ltr.store.catalog import SAME_DEFINITIONS
from ltr.store.folder import RunFolder

log = logging.getLogger("ltr")


def warn(spec: RunSpec, folder: RunFolder, plugins: Mapping[str, str]) -> None:
    """Log every warning that a session begins with.

    Args:
        spec: the run.
        folder: its folder.
        plugins: versions of the plug-ins that it needs, by package.
    """
    _warn_of_missing_kernels(spec)
    _warn_of_rare_evaluations(spec)
    _warn_of_late_rates(spec)
    _warn_of_older(folder)
    _warn_of_other_plugins(folder, plugins)


def _warn_of_missing_kernels(spec: RunSpec) -> None:
    """Warn if everything trains by XLA on a CPU, although the configuration does not ask for it."""
    if spec.experiment.arithmetic == "xla" or kernels.instruction_set() is not None:
        return
    if place(spec).devices[0].platform == "cpu":
        log.warning(
            "ltr's kernels are not built, so training takes several times as long; see kernels in ltr doctor"
        )


def _warn_of_rare_evaluations(spec: RunSpec) -> None:
    """Warn if evaluations are too rare to find an early stop, the basis of all results."""
    experiment, schedule = spec.experiment, spec.schedule
    steps = min(schedule.length(round_number) for round_number in {0, experiment.rounds})
    if schedule.eval_every >= steps:
        log.warning(
            "eval_every=%s: a training of %s is then evaluated at its ends alone, and no early stop "
            "can be seen; lower it",
            experiment.eval_every,
            number_of(steps, "step"),
        )


def _warn_of_late_rates(spec: RunSpec) -> None:
    """Warn of a warm-up that does not end within the training, and of drops that it does not reach."""
    experiment, schedule = spec.experiment, spec.schedule
    optimizer = experiment.optimizer
    if optimizer.warmup.in_steps(schedule.steps_per_epoch) > schedule.steps:
        log.warning(
            "optimizer.warmup=%s: longer than steps=%s, so optimizer.learning_rate is never reached",
            optimizer.warmup,
            experiment.steps,
        )
    drops = optimizer.drops if SCHEDULES[optimizer.schedule].needs_drops else ()
    if late := [drop for drop in drops if drop.in_steps(schedule.steps_per_epoch) >= schedule.steps]:
        log.warning(
            "optimizer.drops=%s: steps=%s end before the learning rate drops at %s",
            literal(drops),
            experiment.steps,
            " and ".join(map(str, late)),
        )


def _warn_of_older(folder: RunFolder) -> None:
    """Warn if a run that an older release began is continued with changed definitions."""
    if folder.finished and folder.schema_version < SAME_DEFINITIONS:
        log.warning(
            "%s: begun by an older release, whose flops include an overhead, and whose RigL, one_shot with "
            "pruning=global and ties of scores differ; to train all lanes alike, choose another output_root",
            folder.path,
        )


def _warn_of_other_plugins(folder: RunFolder, plugins: Mapping[str, str]) -> None:
    """Warn if a part of the run was trained with another version of a plug-in."""
    for name, version in plugins.items():
        if before := sorted(folder.plugins.get(name, {version}) - {version}):
            log.warning(
                "%s: trained before with %s %s, now with %s; to train all lanes alike, choose another "
                "output_root",
                folder.path,
                name,
                " and ".join(before),
                version,
            )

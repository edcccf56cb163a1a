"""Launching of a sweep's jobs by Hydra's launcher."""

import os
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import hydra

from ltr.config import groups
from ltr.config.folders import joined, own
from ltr.config.overrides import as_text
from ltr.errors import ConfigError
from ltr.experiment import compose
from ltr.experiment.signals import StopAll
from ltr.faults import message
from ltr.sweeps import job
from ltr.sweeps.journal import Journal

if TYPE_CHECKING:
    from omegaconf import DictConfig


def launch(words: Sequence[str], journal: Journal, train: job.Conduct) -> str:
    """Launch the jobs and wait for them; return the launcher's error, empty if there was none."""
    added = own()  # the environment of a job's process may lack them

    def conduct(composed: "DictConfig") -> None:
        with joined(added):
            job.conduct(composed, journal, train)

    sweep_dir = f"hydra.sweep.dir={as_text(str(journal.folder))}"
    has_sweep_dir = any(word.startswith("hydra.sweep.dir=") for word in words)
    sys.argv = ["ltr", "-m", *words, *([] if has_sweep_dir else [sweep_dir])]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, instead of printing and exiting
    compose.register()
    try:
        with StopAll(journal.stop_file):
            hydra.main(str(groups.config_dir().absolute()), "config", version_base="1.3")(conduct)()
    except compose.ERRORS as error:
        raise ConfigError(compose.one_line(error)) from None
    except Exception as error:  # from the launcher; some jobs may have finished
        return textwrap.shorten(message(error), 240, placeholder=" ...")
    return ""

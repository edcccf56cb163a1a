"""Hydra's launchers: they run the jobs of a sweep in this process, in others or on other machines."""

from collections.abc import Sequence


def is_remote(words: Sequence[str]) -> bool:
    """Return whether jobs run in other processes, or on other machines."""
    return any(word.startswith("hydra/launcher=") and word != "hydra/launcher=basic" for word in words)

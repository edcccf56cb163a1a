"""Plug-ins: packages that extend ltr by an entry point in the group `ltr.plugins`.

The entry point names a `Plugin`. Only installed packages are searched, never the current folder.
"""

import dataclasses
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ltr.errors import ConfigError

if TYPE_CHECKING:
    from importlib import metadata

GROUP = "ltr.plugins"


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """Registry entries and YAML files that a package adds.

    Attributes:
        entries: pairs of a registry and an entry to add to it, as in `(NETWORKS, Network(...))`.
        configs: folder of YAML files to add to the config groups; None if there are none.
    """

    entries: Sequence[tuple[Any, Any]] = ()
    configs: Path | None = None


@dataclass(frozen=True)
class Installed:
    """Plug-in of an installed package.

    Attributes:
        name: name of its entry point.
        distribution: name of its package, as pip shows it.
        version: version of its package.
        configs: folder of its YAML files; None if it has none or failed to load.
        problem: reason why it failed to load; empty if it is in use.
    """

    name: str
    distribution: str
    version: str
    configs: Path | None = None
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"

    @property
    def warning(self) -> str:
        """Warning that the plug-in is left out, on one line."""
        return f"plug-in {self.name} of {self} is left out: {self.problem}"


_installed: list[Installed] | None = None


def installed() -> Sequence[Installed]:
    """Return every plug-in; the first call imports them and adds their entries to the registries.

    A plug-in that cannot be imported, or adds an entry that already exists, is left out as a whole.
    """
    global _installed
    if _installed is None:
        _installed = []  # for a plug-in that looks up a name during its own import
        _installed += map(_join, sorted(_entry_points(), key=_package))
    return _installed


def lacking(used: Mapping[str, Collection[str]]) -> str:
    """Return why a plug-in of a run is not in use; empty if all are in use.

    Args:
        used: versions of the plug-ins that a run used, by package.
    """
    if not used:
        return ""
    present = {plugin.distribution: plugin for plugin in installed()}
    for name, versions in used.items():
        if name not in present:
            return f"plug-in {name} {' and '.join(sorted(versions))} is not installed"
        if present[name].problem:
            return present[name].warning
    return ""


def _entry_points() -> "Iterator[metadata.EntryPoint]":
    """Yield the entry points of the group, of several copies of a package only those that Python imports."""
    from importlib import metadata  # is slow to import, and lists of runs of no plug-in do without

    here, seen = Path.cwd(), set()
    folders = [folder for folder in sys.path if folder and Path(folder).resolve() != here]
    for distribution in metadata.distributions(path=folders):
        if (points := distribution.entry_points.select(group=GROUP)) and distribution.name not in seen:
            seen.add(distribution.name)
            yield from points


def _package(point: "metadata.EntryPoint") -> str:
    return point.dist.name if point.dist else ""


def _join(point: "metadata.EntryPoint") -> Installed:
    """Import a plug-in and add either all of its entries or none."""
    package = point.dist
    assert package is not None
    installation = Installed(point.name, package.name, package.version)
    try:
        plugin = point.load()
        if not isinstance(plugin, Plugin):
            raise ConfigError(f"{point.value} is not an ltr.plugins.Plugin")
        if plugin.configs is not None and not plugin.configs.is_dir():
            raise ConfigError(f"{plugin.configs}: no such folder")
        entries = [
            (registry, dataclasses.replace(entry, distribution=str(installation)))
            for registry, entry in plugin.entries
        ]
        for registry, entry in entries:
            registry.require_new(entry)
            registry.require_kind(entry)
        if len({(registry.knob, entry.name) for registry, entry in entries}) < len(entries):
            raise ConfigError("adds two entries of the same name")
        for registry, entry in entries:
            registry.add(entry)
    except (Exception, SystemExit) as error:  # third-party code may raise anything
        name = "" if isinstance(error, ConfigError) else f"{type(error).__name__}: "
        return dataclasses.replace(installation, problem=name + " ".join(str(error).split()))
    return dataclasses.replace(installation, configs=plugin.configs)

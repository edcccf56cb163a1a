"""Packages that add to ltr, each by an entry point in the group `ltr.plugins`.

The entry point names a `Plugin`. Only packages that are installed are looked at, never the current folder.
"""

import dataclasses
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ltr.errors import ConfigError

GROUP = "ltr.plugins"


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """Additions of a package.

    Attributes:
        entries: pairs of a registry and an entry that joins it, as in `(NETWORKS, Network(...))`.
        configs: folder of YAML files that join the config groups; None if there are none.
    """

    entries: Sequence[tuple[Any, Any]] = ()
    configs: Path | None = None


@dataclass(frozen=True)
class Installed:
    """A plug-in that is installed.

    Attributes:
        name: name of its entry point.
        distribution: name of its package, as pip has it.
        version: version of that package.
        configs: folder of its YAML files; None if it has none, or is left out.
        problem: why it is left out; empty if it is not.
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
        """The line that says that it is left out."""
        return f"plug-in {self.name} of {self} is left out: {self.problem}"


_installed: list[Installed] | None = None


def installed() -> Sequence[Installed]:
    """Return every plug-in, its entries added to the registries; the first call imports them all.

    One that cannot be imported, or adds what is there already, is left out as a whole.
    """
    global _installed
    if _installed is None:
        _installed = []  # which a plug-in sees that looks a name up while it is imported
        _installed += map(_join, sorted(_entry_points(), key=_package))
    return _installed


def lacking(used: Mapping[str, Collection[str]]) -> str:
    """Return why the first of some plug-ins that is not there is not; empty if all of them are.

    Args:
        used: versions by package.
    """
    found = {one.distribution: one for one in installed()}
    for name, versions in used.items():
        if name not in found:
            return f"plug-in {name} {' and '.join(sorted(versions))} is not installed"
        if found[name].problem:
            return found[name].warning
    return ""


def _entry_points() -> Iterator[metadata.EntryPoint]:
    """The entry points of the group, of each package the one that Python would import."""
    here, seen = Path.cwd(), set()
    folders = [folder for folder in sys.path if folder and Path(folder).resolve() != here]
    for distribution in metadata.distributions(path=folders):
        if (points := distribution.entry_points.select(group=GROUP)) and distribution.name not in seen:
            seen.add(distribution.name)
            yield from points


def _package(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist else ""


def _join(point: metadata.EntryPoint) -> Installed:
    """Import a plug-in and add its entries, all or none."""
    package = point.dist
    assert package is not None
    found = Installed(point.name, package.name, package.version)
    try:
        plugin = point.load()
        if not isinstance(plugin, Plugin):
            raise ConfigError(f"{point.value} is no ltr.plugins.Plugin")
        if plugin.configs is not None and not plugin.configs.is_dir():
            raise ConfigError(f"{plugin.configs}: no such folder")
        entries = [(of, dataclasses.replace(entry, distribution=str(found))) for of, entry in plugin.entries]
        for registry, entry in entries:
            registry.require_new(entry)
            registry.require_kind(entry)
        if len({(registry.knob, entry.name) for registry, entry in entries}) < len(entries):
            raise ConfigError("adds two entries of the same name")
        for registry, entry in entries:
            registry.add(entry)
    except (Exception, SystemExit) as error:  # whatever the code of other people raises
        name = "" if isinstance(error, ConfigError) else f"{type(error).__name__}: "
        return dataclasses.replace(found, problem=name + " ".join(str(error).split()))
    return dataclasses.replace(found, configs=plugin.configs)

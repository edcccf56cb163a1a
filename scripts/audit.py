"""Check what ltr is installed with: licences of all packages, and known vulnerabilities of the pinned ones.

Vulnerabilities are asked for over the network. Packages without an answer are counted; a network that answers
nothing at all is an error, after the licences are checked.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

TOOLS = Path(sys.executable).parent
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"

PERMISSIVE = re.compile(
    r"\b(MIT\b|Apache|0?BSD|MPL|Mozilla Public|PSF|Python Software Foundation|ISC\b|HPND|Zlib|CC0)"
)
"""Licences under which a package may be used with ltr, also those that MPL's files alone must share."""

SEEN = {"axe-playwright-python": "MPL-2.0"}
"""Licences of packages that declare none, read in their files."""


def main() -> int:
    """Print both checks; return 1 if one of them found something."""
    wrong = _said(licences(_json("pip-licenses", "--format=json", "--with-system")))
    options = ("--no-deps", "--disable-pip", "--format=json")
    audited = _json("pip-audit", "--requirement", str(CONSTRAINTS), *options)["dependencies"]
    wrong += _said(vulnerabilities(audited))
    return 1 if wrong else 0


def licences(packages: list[dict[str, str]]) -> list[str]:
    """Print how many packages have permissive licences, and return a line for each other one."""
    declared = {package["Name"]: SEEN.get(package["Name"], package["License"]) for package in packages}
    titles = {name: licence.partition("\n")[0] for name, licence in declared.items()}
    wrong = [
        f"{name}: licence {title!r} is not among those that are known to be permissive"
        for name, title in titles.items()
        if not is_permissive(title)
    ]
    print(f"licences: {len(declared) - len(wrong)} of {len(declared)} packages are permissive")
    return wrong


def is_permissive(title: str) -> bool:
    """Return whether the licence of a title is permissive; each of several that hold together must be."""
    return all(map(PERMISSIVE.search, title.split(" AND ")))


def vulnerabilities(packages: list[dict[str, Any]]) -> list[str]:
    """Print how many packages there was an answer for, and return a line for each known vulnerability."""
    audited = [package for package in packages if "vulns" in package]
    print(f"vulnerabilities: asked for {len(packages)} packages, answered for {len(audited)}")
    return [
        f"{package['name']} {package['version']}: {found['id']}, "
        f"mended in {', '.join(found['fix_versions']) or 'no version yet'}"
        for package in audited
        for found in package["vulns"]
    ]


def _said(lines: list[str]) -> int:
    """Print lines as errors, and return their number."""
    for line in lines:
        print(line, file=sys.stderr)
    return len(lines)


def _json(tool: str, *options: str) -> Any:
    """Return what a tool prints as JSON; it exits with 1 if it found something."""
    completed = subprocess.run([TOOLS / tool, *options], capture_output=True, text=True, check=False)
    try:
        return json.loads(completed.stdout)
    except ValueError:
        raise SystemExit(f"{tool}: {completed.stderr.strip()}") from None


if __name__ == "__main__":
    sys.exit(main())

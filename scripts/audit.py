"""Check what ltr is installed with: licences of all packages, and known vulnerabilities of the pinned ones.

Vulnerabilities are asked for over the network; without an answer that is said, and only licences are checked.
"""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

TOOLS = Path(sys.executable).parent
CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"

PERMISSIVE = re.compile(r"MIT|Apache|BSD|MPL|Mozilla Public|PSF|Python Software Foundation|ISC|HPND")
"""Licences under which a package may be used with ltr, also those that MPL's files alone must share."""

SEEN = {"axe-playwright-python": "MPL-2.0"}
"""Licences of packages that declare none, read in their files."""


def main() -> int:
    """Print both checks; return 1 if one of them found something."""
    wrong = [*_licences(_json("pip-licenses", "--format=json", "--with-system"))]
    options = ("--no-deps", "--disable-pip", "--format=json")
    wrong += _vulnerabilities(_json("pip-audit", "--requirement", str(CONSTRAINTS), *options)["dependencies"])
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def _licences(packages: list[dict[str, str]]) -> list[str]:
    licences = {package["Name"]: package["License"] for package in packages}
    wrong = [
        f"{name}: licence {SEEN.get(name, licence)!r} is not among those that are known to be permissive"
        for name, licence in licences.items()
        if not PERMISSIVE.search(SEEN.get(name, licence))
    ]
    print(f"licences: {len(licences) - len(wrong)} of {len(licences)} packages are permissive")
    return wrong


def _vulnerabilities(packages: list[dict[str, Any]]) -> list[str]:
    audited = [package for package in packages if "vulns" in package]
    print(f"vulnerabilities: asked for {len(packages)} packages, answered for {len(audited)}")
    return [
        f"{package['name']} {package['version']}: {found['id']}, "
        f"mended in {', '.join(found['fix_versions']) or 'no version yet'}"
        for package in audited
        for found in package["vulns"]
    ]


def _json(tool: str, *options: str) -> Any:
    """Return what a tool prints as JSON; it exits with 1 if it found something."""
    completed = subprocess.run([TOOLS / tool, *options], capture_output=True, text=True, check=False)
    try:
        return json.loads(completed.stdout)
    except ValueError:
        raise SystemExit(f"{tool}: {completed.stderr.strip()}") from None


if __name__ == "__main__":
    sys.exit(main())

"""Print the requirements of ltr and of an extra, a line each, to install them before its code is there.

python requirements.py EXTRA
"""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path


def requirements(extra: str) -> Iterator[str]:
    """Yield the requirements in pyproject.toml of the working directory; `extra` may be empty."""
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"] | {"": []}
    if extra not in extras:
        sys.exit(f"EXTRA={extra}: must be one of {', '.join(sorted(extras))[2:]}, or nothing")
    yield from project["dependencies"]
    yield from extras[extra]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))

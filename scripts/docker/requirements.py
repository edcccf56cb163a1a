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
    yield from project["dependencies"]
    yield from project["optional-dependencies"][extra] if extra else ()


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1])))

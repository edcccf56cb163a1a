"""Builds the sparse kernels with the package where there is a C++ compiler; ltr does without where not.

It takes GCC 12 or Clang, for `__builtin_shufflevector`. What GCC builds chooses among AVX-512, AVX2 and
portable vectors at run time; Clang has no counterpart to its `#pragma GCC target`, and builds the last alone.
"""

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jaxlib
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNELS = "ltr/kernels"
SUFFIXES = {".cc", ".h", ".inc"}
LIBRARY = f"{KERNELS}/products.so"
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-shared", "-DNDEBUG")


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Compiles the C++ of the kernels, for the wheel or in place for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it packs."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        library = root / LIBRARY
        sources = sorted(file for file in (root / KERNELS).iterdir() if file.suffix in SUFFIXES)
        made_of = [*sources, Path(__file__), Path(jaxlib.__file__), root / "pyproject.toml"]
        problem = None if is_newer(library, made_of) else compiled(sources, library)
        if problem:
            library.unlink(missing_ok=True)
            self.app.display_warning(f"ltr trains without its sparse kernels: {problem}")
            return
        build_data.update(pure_python=False, infer_tag=True)
        build_data["artifacts"].append(LIBRARY)


def is_newer(file: Path, than: list[Path]) -> bool:
    """Whether the file is there, and was written after all of the others."""
    return file.exists() and file.stat().st_mtime > max(other.stat().st_mtime for other in than)


def compiled(sources: list[Path], library: Path) -> str | None:
    """Compiles the library, whole or not at all; what is in the way, if something is."""
    asked = shlex.split(os.environ.get("CXX", ""))
    names = asked[:1] or ["g++", "c++"]
    compiler = next(filter(None, map(shutil.which, names)), None)
    if compiler is None:
        return f"no C++ compiler ({', '.join(names)})"
    headers = Path(jaxlib.__file__).with_name("include")
    new = library.with_suffix(f".{os.getpid()}")
    units = [str(source) for source in sources if source.suffix == ".cc"]
    command = [compiler, *asked[1:], *FLAGS, "-isystem", str(headers), *units, "-o", str(new)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip() or f"{compiler} failed"
    new.replace(library)
    return None

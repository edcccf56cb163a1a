"""Build hook that compiles ltr's kernels if there is a C++ compiler; without them ltr works, but slower.

The kernels need GCC 12 or Clang, because of `__builtin_shufflevector`. Built by GCC, they choose among
AVX-512, AVX2 and portable vectors at run time. Clang has no counterpart to `#pragma GCC target`, so it builds
portable vectors only.
"""

import os
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jaxlib
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

KERNELS = "ltr/kernels"
SUFFIXES = {".cc", ".h", ".inc"}
LIBRARY = f"{KERNELS}/products.so"
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-DNDEBUG")


class KernelsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Hook that compiles the C++ of the kernels, for a wheel or in place for an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the kernels. Hatchling calls this before it builds a wheel."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        library = root / LIBRARY
        sources = sorted(file for file in (root / KERNELS).iterdir() if file.suffix in SUFFIXES)
        inputs = [*sources, Path(__file__), Path(jaxlib.__file__), root / "pyproject.toml"]
        problem = None if is_newer(library, inputs) else compiled(sources, library)
        if problem:
            library.unlink(missing_ok=True)
            self.app.display_warning(f"ltr trains without its kernels: {problem}")
            return
        build_data.update(pure_python=False, infer_tag=True)
        build_data["artifacts"].append(LIBRARY)


def is_newer(file: Path, than: list[Path]) -> bool:
    """Return whether the file exists and is newer than all of the others."""
    return file.exists() and file.stat().st_mtime > max(other.stat().st_mtime for other in than)


def compiled(sources: list[Path], library: Path) -> str | None:
    """Compile the library atomically, its units side by side; return the problem if it cannot be compiled."""
    configured = shlex.split(os.environ.get("CXX", ""))
    names = configured[:1] or ["g++", "c++"]
    compiler = next(filter(None, map(shutil.which, names)), None)
    if compiler is None:
        return f"no C++ compiler ({', '.join(names)})"
    headers = Path(jaxlib.__file__).with_name("include")
    new = library.with_suffix(f".{os.getpid()}")
    command = [compiler, *configured[1:], *FLAGS]

    def run(*arguments: str) -> str | None:
        result = subprocess.run([*command, *arguments], capture_output=True, text=True)
        return (result.stderr.strip() or f"{compiler} failed") if result.returncode else None

    with TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        units = [str(source) for source in sources if source.suffix == ".cc"]
        objects = [f"{folder}/{Path(unit).stem}.o" for unit in units]
        compile_unit = partial(run, "-c", "-isystem", str(headers), "-o")
        problems = filter(None, pool.map(compile_unit, objects, units))
        problem = next(problems, None) or run("-shared", *objects, "-o", str(new))
    if problem:
        return problem
    new.replace(library)
    return None

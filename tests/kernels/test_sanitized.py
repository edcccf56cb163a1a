"""The C++ alone, under the address and undefined-behaviour sanitizers (make sanitize)."""

import shutil
import subprocess
from pathlib import Path

import pytest

FLAGS = ("-std=c++17", "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.mark.slow
@pytest.mark.parametrize("source", ["fuzz.cc", "fuzz_winograd.cc", "fuzz_fused.cc", "fuzz_batch_norm.cc"])
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_random_layers_by_every_instruction_set(source: str, tmp_path: Path) -> None:
    program = tmp_path / "fuzz"
    command = ["g++", *FLAGS, "-Wall", "-Wextra", "-Werror", Path(__file__).with_name(source), "-o", program]
    subprocess.run(command, check=True)
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "portable"

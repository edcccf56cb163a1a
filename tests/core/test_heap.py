"""The heap in a process of its own, because its settings cannot be taken back."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, threading
import numpy as np
from ltr.core import heap

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def fill():
    before = faults()
    for _ in range(8):
        np.ones(5_000_000)
    taken.append(faults() - before)

taken = []
{keep}
for _ in range(3):
    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()
print(taken[-1])
"""


def faults(keep: str) -> int:
    """Page faults of a thread that allocates 8 times 40 MB, after two others that did."""
    done = subprocess.run([sys.executable, "-c", FAULTS.format(keep=keep)], check=True, capture_output=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_is_not_returned_to_the_system() -> None:
    assert 10 * faults("heap.keep_freed_memory()") < faults("")

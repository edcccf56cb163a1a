"""A member ends as its supervisor says."""

import os
import subprocess
import sys

import pytest

CODE = """
import sys, time
from ltr.hosts.member import Member, end_by_supervisor
end_by_supervisor(Member("localhost:1", 2, 1, "", int(sys.argv[1])))
print("waits", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(("said", "code"), [(b"", 1), (bytes([143]), 143)])
def test_a_member_ends_by_the_exit_code_in_its_pipe_or_with_its_supervisor(said: bytes, code: int) -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-c", CODE, str(reading)]
    with subprocess.Popen(command, pass_fds=[reading], stdout=subprocess.PIPE, text=True) as process:
        os.close(reading)
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        assert process.poll() is None
        os.write(writing, said)
        os.close(writing)
    assert process.returncode == code

"""Members: the processes that train, each started by the supervisor of its host."""

import contextlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass

VARIABLE = "LTR_MEMBER"
"""Variable of the environment by which a supervisor tells its member what it is."""


PEER_LOST = 75
"""Exit code of a member whose operations fail because another one is gone."""


@dataclass(frozen=True)
class Member:
    """What a member knows.

    Attributes:
        address: HOST:PORT of JAX's coordinator.
        count: number of members.
        index: number of this one; member 0 writes the run.
        folder: where a member that does not write keeps its copy of the run; empty for member 0.
        pipe: descriptor that a byte comes from, or its end, when the member is to end at once.
    """

    address: str
    count: int
    index: int
    folder: str
    pipe: int

    def variables(self) -> dict[str, str]:
        """Return the environment of the member."""
        return {VARIABLE: json.dumps(asdict(self))}


def find(environment: Mapping[str, str]) -> Member | None:
    """Return what this process was told; None if it is no member."""
    told = environment.get(VARIABLE)
    return Member(**json.loads(told)) if told else None


def end_by_supervisor(member: Member) -> None:
    """End this process at once when its supervisor ends, or sends a byte: the exit code."""

    def wait() -> None:
        code = b""
        with contextlib.suppress(OSError):
            code = os.read(member.pipe, 1)
        os._exit(code[0] if code else 1)

    threading.Thread(target=wait, daemon=True).start()

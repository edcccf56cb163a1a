"""Who the processes of a run are."""

from typing import Any

import pytest

from ltr.config.schema import Hosts
from ltr.errors import ConfigError
from ltr.hosts.group import Group, find, first_node, require_none

SLURM = {
    "SLURM_JOB_ID": "5000",
    "SLURM_STEP_NODELIST": "gpu[07-09],other2",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_PROCID": "3",
}
OPEN_MPI = {
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_RANK": "1",
}


def knobs(**given: Any) -> Hosts:
    return Hosts(**{"coordinator": "node1:61234", "count": 4, "index": 2} | given)


def test_alone_without_a_word() -> None:
    assert find(Hosts(), {}) is None
    assert find(knobs(count=1, index=0), SLURM) is None
    assert find(Hosts(count=1), SLURM) is None


def test_knobs_come_before_the_environment() -> None:
    assert find(knobs(), SLURM | OPEN_MPI) == Group("node1", 61234, 4, 2)
    assert find(knobs(coordinator="[::1]:7"), {}) == Group("::1", 7, 4, 2)


def test_the_tasks_of_a_step_of_slurm() -> None:
    assert find(Hosts(), SLURM) == Group("gpu07", 61440 + 5000 % 4096, 4, 3)
    assert find(Hosts(), SLURM | {"SLURM_STEP_NUM_TASKS": "1"}) is None


def test_a_batch_script_of_slurm_is_alone() -> None:
    assert find(Hosts(), {name: SLURM[name] for name in ("SLURM_JOB_ID", "SLURM_PROCID")}) is None


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("a1", "a1"), ("a1,b2", "a1"), ("a[001-015],b2", "a001"), ("a[3,7-9]", "a3"), ("a-b[2]", "a-b2")],
)
def test_the_first_of_a_list_of_nodes(nodes: str, first: str) -> None:
    assert first_node(nodes) == first


def test_the_processes_of_open_mpi() -> None:
    assert find(Hosts(), OPEN_MPI) == Group("10.96.0.1", 61440 + 1531576320 // 4096 % 4096, 2, 1)
    ipv6 = {"OMPI_MCA_orte_hnp_uri": "4096.0;tcp6://[fe80::1,2620::3]:43370"}
    assert find(Hosts(), OPEN_MPI | ipv6) == Group("fe80::1", 61441, 2, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"coordinator": None}, r"^hosts.coordinator: missing; each process of a run needs "),
        ({"count": None}, r"^hosts.count: missing; "),
        ({"index": None}, r"^hosts.index: missing; "),
        ({"index": 4}, r"^hosts.index=4: must be less than hosts.count=4$"),
        ({"coordinator": "node1"}, r"^hosts.coordinator=node1: must be HOST:PORT, as in node1:61234$"),
        ({"coordinator": "node1:70000"}, r"^hosts.coordinator=node1:70000: must be HOST:PORT"),
    ],
)
def test_wrong_knobs_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find(knobs(**given), {})


def test_commands_that_train_in_one_process_refuse_several() -> None:
    require_none(Hosts())
    require_none(Hosts(count=1))
    with pytest.raises(ConfigError, match=r"^hosts.coordinator=node1:61234: several processes "):
        require_none(knobs())

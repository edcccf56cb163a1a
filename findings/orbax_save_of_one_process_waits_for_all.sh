#!/usr/bin/env bash
# orbax-checkpoint 0.12.8 with jax 0.10.2: a save whose options name one active process still needs all processes.
# Seen: two processes of jax.distributed each save to a folder of their own, with MultiprocessingOptions that make
# the process its own primary host and the only active one. ocp.save compares the path over all processes of the group
# (save_checkpointables_impl calls _check_directory_consistency, which looks at jax.process_count() alone), and
# raises "Directory path mismatch in multi-process save". If one process alone saves, it waits for the other.
# Expected: as the docstring of active_processes says, a checkpointer that runs over a subset of the processes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    orbax-checkpoint==0.12.8 jax==0.10.2 jaxlib==0.10.2
cd "$folder"
cat >save.py <<'PYTHON'
import sys
from pathlib import Path

import jax

index, port = int(sys.argv[1]), sys.argv[2]
jax.distributed.initialize(f"127.0.0.1:{port}", 2, index, cluster_detection_method="deactivate")
import numpy as np
from orbax.checkpoint import v1 as ocp

alone = ocp.options.MultiprocessingOptions(
    primary_host=index, active_processes={index}, barrier_sync_key_prefix=f"only_{index}"
)
try:
    with ocp.Context(multiprocessing_options=alone):
        ocp.save(Path(f"saved_{index}").absolute(), {"weights": np.arange(3.0)})
    print(f"process {index}: saved", flush=True)
except ValueError as error:
    print(f"process {index}: {str(error).partition('.')[0]}", flush=True)
PYTHON
port=$(venv/bin/python -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
for index in 0 1; do
    timeout 60 venv/bin/python save.py "$index" "$port" >"out_$index" 2>"err_$index" &
done
wait
cat out_0 out_1
grep -q "process 0: Directory path mismatch in multi-process save" out_0
grep -q "process 1: Directory path mismatch in multi-process save" out_1

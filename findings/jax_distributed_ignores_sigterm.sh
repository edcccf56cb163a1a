#!/usr/bin/env bash
# jax 0.10.2 on the CPU: after jax.distributed.initialize, SIGTERM does not end a process any more.
# Seen: the preemption service, which is on by default, catches the signal ("SIGTERM caught" in the log) and waits for
# the program to ask it. A program that never asks goes on: timeout(1), `docker stop` and schedulers that send SIGTERM
# have no effect until they send SIGKILL. signal.getsignal(SIGTERM) still says SIG_DFL.
# With jax_enable_preemption_service=False the signal ends the process.
# Expected: a program that does not use the service keeps the default action of the signal.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
cd "$folder"
cat >wait.py <<'PYTHON'
import signal, socket, sys, time

import jax

jax.config.update("jax_enable_preemption_service", sys.argv[1] == "on")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
jax.distributed.initialize(f"127.0.0.1:{port}", 1, 0, cluster_detection_method="deactivate")
print("handler of SIGTERM:", repr(signal.getsignal(signal.SIGTERM)), flush=True)
time.sleep(20)
print("alive", flush=True)
PYTHON
for service in on off; do
    code=0
    timeout --signal=TERM --kill-after=60 8 venv/bin/python wait.py "$service" >"out_$service" 2>log || code=$?
    echo "preemption service $service: $(tr '\n' ' ' <"out_$service")(timeout's exit code $code)"
done
grep -q "^alive" out_on
grep -q "^alive" out_off && exit 1
grep -q "SIG_DFL" out_on && grep -q "SIG_DFL" out_off

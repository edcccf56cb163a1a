#!/usr/bin/env bash
# jax 0.10.2: importing it writes to the environment of the process.
# Seen: TF_CPP_MIN_LOG_LEVEL=1 and TPU_SKIP_MDS_QUERY=1 are new in os.environ after `import jax` on a machine with
# a CPU alone. Child processes inherit both, so TensorFlow started from there is silent below errors, and code on a
# TPU machine that was started from there does not ask the metadata server.
# Expected: an import leaves os.environ as it was.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
cd "$folder"
env -u TF_CPP_MIN_LOG_LEVEL -u TPU_SKIP_MDS_QUERY venv/bin/python - <<'PYTHON'
import os
import subprocess
import sys

before = dict(os.environ)
import jax

added = {name: os.environ[name] for name in sorted(set(os.environ) - set(before))}
print(f"jax {jax.__version__}, devices {jax.devices()}: import added {added}")
assert added == {"TF_CPP_MIN_LOG_LEVEL": "1", "TPU_SKIP_MDS_QUERY": "1"}, added
child = subprocess.run(
    [sys.executable, "-c", "import os; print(os.environ.get('TPU_SKIP_MDS_QUERY'))"],
    capture_output=True, text=True, check=True,
)
print(f"a child process sees TPU_SKIP_MDS_QUERY={child.stdout.strip()}")
assert child.stdout.strip() == "1"
PYTHON

#!/usr/bin/env bash
# orbax-checkpoint 0.12.8 with absl-py 2.5.1: importing it gives the root logger a handler.
# Seen: logging.root.handlers is empty before `import orbax.checkpoint` and has a StreamHandler after it. A later
# logging.basicConfig(level=INFO, ...) by the user does nothing, as Python documents for a root logger that has
# handlers: the user's info messages are lost, and warnings come without the user's format.
# Expected: libraries log, and leave handlers to the application.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    orbax-checkpoint==0.12.8 absl-py==2.5.1 jax==0.10.2 jaxlib==0.10.2
cd "$folder"
venv/bin/python - <<'PYTHON' 2>log
import logging

assert logging.root.handlers == []
import orbax.checkpoint

print(f"orbax-checkpoint {orbax.checkpoint.__version__}: root handlers after import: {logging.root.handlers}")
assert len(logging.root.handlers) == 1
logging.basicConfig(level=logging.INFO, format="mine: %(message)s")
logging.getLogger("experiment").info("epoch 1")
logging.getLogger("experiment").warning("epoch 2")
PYTHON
echo "standard error after basicConfig(level=INFO, format='mine: ...'): $(cat log)"
grep -q "epoch 1" log && exit 1
grep -q "mine:" log && exit 1
grep -q "epoch 2" log

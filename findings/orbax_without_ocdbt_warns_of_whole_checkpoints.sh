#!/usr/bin/env bash
# orbax-checkpoint 0.12.8, its API v1: saving with the option `use_ocdbt` off, and loading what was saved, warn.
# Seen: every save warns "Skipping merge of OCDBT checkpoints: No per-process OCDBT checkpoint subdirs found", and
# every load "TensorStore data files not found in checkpoint path ... This may be a sign of a malformed checkpoint".
# Yet the arrays that come back are those that were saved.
# Expected: no warning where OCDBT is switched off and the checkpoint is whole.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    orbax-checkpoint==0.12.8 absl-py==2.5.1 jax==0.10.2 jaxlib==0.10.2
cd "$folder"
venv/bin/python - <<'PYTHON' 2>log
from pathlib import Path

import numpy as np
import orbax.checkpoint
from orbax.checkpoint import v1 as ocp

saved = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3)}
context = ocp.Context()
context.array.saving.use_ocdbt = False
with context:
    for step in range(2):
        ocp.save(Path(f"step-{step}").absolute(), saved)
    loaded = [ocp.load(Path(f"step-{step}").absolute()) for step in range(2)]
for tree in loaded:
    np.testing.assert_array_equal(tree["weights"], saved["weights"])
print(f"orbax-checkpoint {orbax.checkpoint.__version__}: two checkpoints came back as they were saved")
PYTHON
echo "standard error: $(cat log)"
test "$(grep -c "Skipping merge of OCDBT checkpoints" log)" = 2
test "$(grep -c "may be a sign of a malformed checkpoint" log)" = 2

#!/usr/bin/env bash
# hydra-core 1.3.2: discovery of plug-ins imports Hydra's own plug-ins a second time.
# Seen: the class BasicLauncher that `import` gives is not the class BasicLauncher that Hydra uses: same qualified
# name, two class objects. So isinstance() with the imported class is False for the launcher in use, and a subclass
# check or a patch of the imported class has no effect.
# Expected: one class for one qualified name.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check hydra-core==1.3.2
cd "$folder"
venv/bin/python - <<'PYTHON'
import hydra
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.plugins import Plugins

name = f"{BasicLauncher.__module__}.{BasicLauncher.__qualname__}"
used = Plugins.instance().class_name_to_class[name]
print(f"hydra {hydra.__version__}: {name}: imported {id(BasicLauncher)}, in use {id(used)}")
assert used.__qualname__ == BasicLauncher.__qualname__
assert used is not BasicLauncher
assert not isinstance(used(), BasicLauncher)
PYTHON

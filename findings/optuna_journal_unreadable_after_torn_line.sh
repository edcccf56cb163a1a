#!/usr/bin/env bash
# optuna 5.0.0, JournalStorage on a file: a line that a killed process wrote in part makes the study unreadable.
# Seen: with the last line of the journal cut short, as by a kill or a power failure in the middle of a write,
# create_study(load_if_exists=True) appends a record of its own to the cut line. That opening and every later one raise
# JSONDecodeError, and all trials before the cut are lost to the program.
# Expected: the cut record is dropped, or what is appended begins a line of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check optuna==5.0.0
cd "$folder"
cat >study.py <<'PYTHON'
import json, sys

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)
storage = None
try:
    storage = JournalStorage(JournalFileBackend("journal.log"))
    study = optuna.create_study(storage=storage, study_name="lr", load_if_exists=True)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=int(sys.argv[1]))
    print(f"trials: {len(study.trials)}")
except json.JSONDecodeError as error:
    print(f"JSONDecodeError: {error}")
PYTHON
venv/bin/python study.py 3
truncate --size=-10 journal.log
echo "the journal is cut by 10 bytes"
venv/bin/python study.py 1 | tee second
venv/bin/python study.py 0 | tee third
grep -q "^JSONDecodeError" second third

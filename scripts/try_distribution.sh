#!/usr/bin/env bash
# Install a wheel or source distribution into a fresh environment outside the clone, and run a small experiment.
#
# scripts/try_distribution.sh dist/ltr-VERSION.tar.gz
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
file=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

"${PYTHON:-python3}" -m venv environment
environment/bin/python -m pip --disable-pip-version-check install --quiet --constraint "$root/constraints.txt" "$file"
export PATH="$folder/environment/bin:$PATH"

ltr --version
ltr doctor
ltr run steps=60 eval_every=20 rounds=1 replicates=2 > log.txt 2>&1 || { cat log.txt >&2; exit 1; }
python -c 'import ltr; run = ltr.load("last"); assert len(run.results) == 10, run.results; run.ticket(1)'
echo "$(basename "$file"): installed and run"

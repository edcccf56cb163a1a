#!/usr/bin/env bash
# Run most tests with the oldest versions that pyproject.toml allows, installed into .venv-oldest.
# test_oldest.sh PYTHON [PYTEST ARGUMENTS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TESTS=(tests/analysis tests/api/test_loaded.py tests/arms tests/commands/test_run.py tests/config tests/core tests/data
    tests/engine tests/experiment/test_program.py tests/experiment/test_extending.py tests/export tests/kernels
    tests/methods tests/pruning tests/report tests/store tests/test_cli.py tests/test_golden.py tests/trackers)

python=$1
shift
bin=.venv-oldest/bin
if [ ! -e .venv-oldest/installed ] || [ constraints-oldest.txt -nt .venv-oldest/installed ]; then
    "$python" -m venv --clear .venv-oldest
    # antlr4 has no wheel. It is built with the setuptools that is installed first.
    pip=("$bin/python" -m pip --disable-pip-version-check install --quiet)
    "${pip[@]}" --constraint constraints-oldest.txt setuptools wheel
    "${pip[@]}" --no-build-isolation --requirement constraints-oldest.txt
    touch .venv-oldest/installed
fi
export PYTHONPATH=$PWD  # ltr itself is not installed there, and tests start it in other folders too
# Old versions use what newer versions of their requirements deprecate, so warnings are no errors.
"$bin/python" -m pytest -n 2 --dist loadfile -o cache_dir=.venv-oldest/pytest_cache -W default "${TESTS[@]}" "$@"

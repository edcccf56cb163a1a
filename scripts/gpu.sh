#!/usr/bin/env bash
# Measure how ltr trains on an accelerator, in under 8 minutes, also where there is no network.
#
# scripts/gpu.sh [OPTIONS] [KNOB=VALUE ...]  measure, and write tables to OUT (default: outputs/gpu); --help: options
# scripts/gpu.sh pack                        where there is a network: put what the other machine lacks into .whl/
#
# PYTHON names the interpreter (default: python3). Where it has ltr's requirements, nothing is installed. Else it is
# Python 3.12 on Linux with JAX and the plug-in of its accelerator, Flax, Optax, Orbax, pandas, PyArrow, Matplotlib,
# rich, filelock, safetensors, scikit-learn, requests and Jinja2; the others are installed from .whl/ (13 MB, which
# travels with this folder) into .whl/site/. ltr is used from this folder; its kernels, which are for CPUs, are not
# built. "pack" needs pip, and setuptools for two packages of which there are only sources.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PACKAGES=(annotated-types array_record dm-tree docstring_parser googleapis-common-protos hydra-core immutabledict
    importlib_resources jaxtyping omegaconf pydantic pydantic_core simple-parsing tensorflow-datasets
    tensorflow-metadata termcolor toml typing-inspection wadler_lindig)
SOURCES=(antlr4-python3-runtime promise)
TARGET=(--only-binary=:all: --python-version 3.12 --implementation cp --platform manylinux_2_28_x86_64
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64)

python=${PYTHON:-python3}
pip=("$python" -m pip --disable-pip-version-check)

if [ "${1:-}" = pack ]; then
    "${pip[@]}" download --quiet --no-deps --constraint constraints.txt "${TARGET[@]}" --dest .whl "${PACKAGES[@]}"
    "${pip[@]}" wheel --quiet --no-deps --no-build-isolation --constraint constraints.txt --wheel-dir .whl \
        "${SOURCES[@]}"
    exit
fi
export PYTHONPATH="$PWD"
if ! "$python" -c 'import hydra' 2> /dev/null; then
    "${pip[@]}" install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade --target .whl/site .whl/*.whl
    PYTHONPATH="$PWD/.whl/site:$PWD"
fi
exec "$python" -m scripts.gpu --out "${OUT:-outputs/gpu}" "$@"

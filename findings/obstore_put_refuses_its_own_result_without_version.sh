#!/usr/bin/env bash
# obstore 0.12.1: what put() returns cannot be given to the next put() as its condition, where objects have no versions.
# Seen: put() returns {"e_tag": ..., "version": None}. UpdateVersion, the type of `mode` for a conditional put, declares
# both fields as `str | None`, but the None raises TypeError. The same dictionary without the field is taken.
# Expected: a version of None is taken as no version, as the type says, so that a writer can pass on what it was given.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check obstore==0.12.1
"$folder/venv/bin/python" - <<'PYTHON' | tee "$folder/seen"
import obstore
from obstore.store import MemoryStore

store = MemoryStore()
first = obstore.put(store, "lock", b"mine")
print(f"first: {first}")
try:
    print(f"as it is: {obstore.put(store, 'lock', b'still mine', mode=first)}")
except TypeError as error:
    print(f"as it is: TypeError: {error}")
present = {name: value for name, value in first.items() if value is not None}
print(f"without None: {obstore.put(store, 'lock', b'still mine', mode=present)}")
PYTHON
grep -q "^first: .*'version': None" "$folder/seen"
grep -q "^as it is: TypeError" "$folder/seen"
grep -q "^without None: {'e_tag'" "$folder/seen"

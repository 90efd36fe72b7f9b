#!/bin/sh
# Write requirements.lock, envs/torch.lock and docs/LICENCES.md from the packages that are installed in $1 (.venv).
# Needs uv (https://docs.astral.sh/uv), which asks the index for the hashes of all files of each release.
set -eu
venv=$1
pins=$(mktemp)
trap 'rm -f "$pins"' EXIT
"$venv/bin/python" -m pip freeze --all | grep -v '^pip==' > "$pins"
# The CPU build and the build of the public index have different hashes, and "+cpu" is in one of them only.
grep '^torch==' "$pins" | sed 's/+.*//' > envs/torch.lock
grep -v '^torch==' "$pins" | uv pip compile --quiet --universal --no-deps --generate-hashes --python-version 3.11 \
    --no-header --no-annotate --output-file requirements.lock -
"$venv/bin/python" envs/list_licences.py > docs/LICENCES.md

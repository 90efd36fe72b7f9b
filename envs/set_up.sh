#!/bin/sh
# Make the virtual environment $1 from requirements.lock and envs/torch.lock, unless it is there with just those pins.
# The copy of both inside it is written last, so an interrupted set-up is made anew by the next call.
set -eu
venv=$1
python=${PYTHON:-python3}

# The command of this checkout, which an edit of the code reaches at once.
write_command() {
    cat > "$venv/bin/plumbline" <<EOF
#!/bin/sh
exec "$PWD/$venv/bin/python" -c 'import sys; sys.path.insert(0, sys.argv.pop(1))
from workflow_scripts.plumbline_command import main; main()' "$PWD" "\$@"
EOF
    chmod +x "$venv/bin/plumbline"
}

if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c "" 2>/dev/null \
    && cat requirements.lock envs/torch.lock | cmp -s - "$venv/requirements.lock"; then
    write_command
    exit 0
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "Plumbline needs Python 3.11 or later; $python is $("$python" -V 2>&1). Name another: make PYTHON=python3.11" >&2
    exit 1
}
echo "setting up $venv (once, a few minutes)"
rm -rf "$venv"
"$python" -m venv "$venv"
# Every file must have a hash of the lock. Torch has none there, because its builds for CPUs and for GPUs differ; what
# it needs besides, such as CUDA libraries, it pins itself.
"$venv/bin/python" -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
"$venv/bin/python" -m pip install --quiet --requirement envs/torch.lock
"$venv/bin/python" -m pip check
write_command
cat requirements.lock envs/torch.lock > "$venv/requirements.lock"

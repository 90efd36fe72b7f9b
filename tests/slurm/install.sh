#!/bin/sh
# Install Slurm and munge where they are missing: with apt as root, otherwise say what is needed.
set -eu
PATH="$PATH:/usr/sbin:/sbin"
missing=
for program in munged slurmctld slurmd sbatch srun; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "missing:$missing. Install the packages slurm-wlm and munge (as root, with apt), then try again" >&2
    exit 1
fi
echo "installing slurm-wlm and munge"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null

#!/bin/sh
# Starts a machine: joins its control groups (the arguments), then creates its namespaces.
set -eu
for group in "$@"; do echo $$ >"$group/cgroup.procs"; done
exec unshare --mount --uts --ipc --net --pid --cgroup --fork --propagation private -- sh "$SCRIPTS/init.sh"

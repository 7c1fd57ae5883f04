#!/bin/sh
# A machine's first steps: into its control groups (named as arguments), then into namespaces of its own.
set -eu
for group in "$@"; do echo $$ >"$group/cgroup.procs"; done
exec unshare --mount --uts --ipc --net --pid --cgroup --fork --propagation private -- sh "$SCRIPTS/init.sh"

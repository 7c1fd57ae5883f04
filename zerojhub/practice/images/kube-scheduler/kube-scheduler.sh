#!/bin/sh
# One kube-scheduler, of the cluster's version, stands in for all versions. Charts for older ones may configure the lock
# type endpointsleases, which Kubernetes 1.27 removed; its replacement is leases.
for word; do
    shift
    case $word in
    --config=*)
        sed "s/endpointsleases/leases/" "${word#--config=}" >/tmp/config.yaml
        word=--config=/tmp/config.yaml
        ;;
    esac
    set -- "$@" "$word"
done
exec /usr/local/lib/kubernetes/kube-scheduler "$@"

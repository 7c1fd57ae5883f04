#!/bin/sh
# One program, of the cluster's version, answers for every kube-scheduler. Charts made for an older one may ask for the
# lock that Kubernetes 1.27 took away; what is left of it is the lease.
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

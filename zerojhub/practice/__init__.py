"""A practice cloud on one Linux machine: the OpenStack APIs in front of real machines and a real Kubernetes."""

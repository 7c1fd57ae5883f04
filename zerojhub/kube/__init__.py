"""Kubernetes: its API, how it is reached, and why what is in it is not ready."""

"""Helm: the program, a release's commands on the machine where the deployment's Helm is, and rendering on this machine."""

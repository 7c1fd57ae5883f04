"""One command from an OpenStack project with Magnum to the URL of a working JupyterHub."""

__version__ = "0.1.0"

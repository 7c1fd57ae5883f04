"""The practice cloud's OpenStack APIs: one ASGI app (`app.build_app`), with a package for each service."""

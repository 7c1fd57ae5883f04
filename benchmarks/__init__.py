"""How fast zerojhub is, and how much memory it takes, beside what a person would run instead.

`python -m benchmarks` (or `make benchmark`) runs everything that needs no more than Python packages, on the practice cloud's
APIs without machines; `--deployment hub.yaml` adds what needs a hub that is up. `benchmarks/machines.py` is apart.
"""

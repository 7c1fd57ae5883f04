"""The hub: its chart and values, its Helm release, its REST API, and the proof that it works."""

"""The hub: its chart and values, and, once it runs, its own API."""

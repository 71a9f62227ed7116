"""The compose files tried with a Docker engine: `python -m tests.compose`."""

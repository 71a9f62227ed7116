"""A stand-in for a Qdrant server, for tests: `python -m tests.qdrant`.

It answers from qdrant-client's local mode, checks every request against Qdrant's own description of
its interface, and fails on purpose when it is told to. Nothing of it is meant for real use.
"""

"""The command `indexer`: reads arguments, prints, and is the only part that exits."""

from indexer.cli.app import app, main

__all__ = ["app", "main"]

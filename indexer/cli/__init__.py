"""The command `indexer`: reads arguments, prints, and is the only part that exits."""

from indexer.cli.app import application, main

__all__ = ["application", "main"]

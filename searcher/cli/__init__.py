"""The command `searcher`: reads arguments, prints answers, and is the only part that exits."""

from searcher.cli.app import application, main

__all__ = ["application", "main"]

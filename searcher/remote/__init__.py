"""Asking a running search service in place of this process, with the standard library alone."""

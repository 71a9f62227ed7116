"""Asks the store for the pictures that look like a query."""

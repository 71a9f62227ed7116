"""Answers as pictures: the sheet and the page."""

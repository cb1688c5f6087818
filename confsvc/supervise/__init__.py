"""Staying as a small parent of the command, where it must hear of changes."""

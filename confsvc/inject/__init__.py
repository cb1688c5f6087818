"""Injection: handing a resolution to a process, as its environment, as files, or as text in some format."""

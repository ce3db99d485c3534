"""Showing what is found: the demo and, in a terminal, its screen."""

"""``serve``: what is known, over HTTP, and a way to ask for an action.

A request passes journal (log, metrics, headers), bodies (size), access (who), a route, and the database.
"""

"""Postgres: the schema, its migrations, every query, and the sink that writes each event exactly once."""

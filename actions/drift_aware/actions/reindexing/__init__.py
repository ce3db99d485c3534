"""The parts of a reindex: sources of documents, what embeds them, and the collection in Postgres."""

"""What makes vectors of texts, and gives interactions the embeddings they came without."""

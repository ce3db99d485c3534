"""Golden prompts and fixed strings: a model or an embedder that is swapped without a word is found out."""

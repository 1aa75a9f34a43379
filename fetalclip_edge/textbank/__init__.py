"""Banks of text embeddings: what a bundle knows of words, without a text tower."""

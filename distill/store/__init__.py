"""The teacher store: embeddings of augmented views, made once, checked and memory-mapped."""

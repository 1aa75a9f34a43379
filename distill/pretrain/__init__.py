"""Pre-training: image-text shards to a teacher, by open_clip's own trainer."""

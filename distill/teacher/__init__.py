"""The teacher: FetalCLIP, or any other open_clip model, frozen and read from a local file."""

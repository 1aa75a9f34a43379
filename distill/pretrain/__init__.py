"""Pre-training: image-text shards to a teacher, by open_clip's own trainer."""

import os

# read once, when the hub's package is first imported: nothing here is ever fetched
os.environ["HF_HUB_OFFLINE"] = "1"

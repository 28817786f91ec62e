"""From settings to prepared images in three splits: reading, bringing to their final form, and the cache on disk."""

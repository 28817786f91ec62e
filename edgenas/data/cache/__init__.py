"""What is kept on disk of images, shared by all runs: the index of files, prepared images, statistics."""

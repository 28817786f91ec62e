"""Training a network on the images of a run."""

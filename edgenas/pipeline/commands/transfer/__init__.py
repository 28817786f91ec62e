"""One trained supernet on other images."""

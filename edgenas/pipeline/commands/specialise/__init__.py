"""One trained supernet on another device."""

"""Where measuring happens: here, or at the other end of a connection."""

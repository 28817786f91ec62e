"""The gene vector: where each choice stands, and which codes are the same network."""

"""One home for each command: what it does, without the terminal."""

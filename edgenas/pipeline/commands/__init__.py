"""One module or package for each command: its work, without the terminal."""

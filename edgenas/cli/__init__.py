"""The command line: it reads arguments, calls the Python interface, and prints."""

"""The command line: one thin file a command; heavy packages are imported when a command runs."""

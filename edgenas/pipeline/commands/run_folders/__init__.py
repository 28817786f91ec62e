"""Runs as a list: what there is, one as a file, and deleting one."""

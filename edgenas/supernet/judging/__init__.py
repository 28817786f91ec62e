"""Judging the members of a trained supernet."""

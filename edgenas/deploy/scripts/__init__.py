"""The pieces of the scripts that a bundle carries: `compose` puts them together, the others are read as text."""

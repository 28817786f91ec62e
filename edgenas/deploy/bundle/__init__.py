"""A bundle: the folder of deployable files, its card, and checking it again."""

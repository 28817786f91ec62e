"""`python -m edgenas`."""

from edgenas.cli.main import main

main()

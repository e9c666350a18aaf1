"""`python -m saltus` is the command line."""

from saltus.cli.main import main

main()

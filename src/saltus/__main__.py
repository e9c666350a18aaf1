"""`python -m saltus` is the command line."""

from saltus.cli.main import main

if __name__ == "__main__":
    main()

"""`python -m knoll.cli`: the command line of this very interpreter, for child processes."""

from knoll.cli import main

if __name__ == "__main__":
    main()

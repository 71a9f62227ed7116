"""`python -m searcher` is the command `searcher`."""

from searcher.cli import main

if __name__ == "__main__":
    main()

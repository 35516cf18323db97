"""``python -m kit19`` is the command line."""

from kit19.cli import main

if __name__ == "__main__":
    main()

"""`python -m anatomia`."""

from anatomia.cli import main

if __name__ == "__main__":
    main()

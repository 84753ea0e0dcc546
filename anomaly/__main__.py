"""`python -m anomaly` is the `anomaly` command."""

from anomaly.cli import main

if __name__ == "__main__":
    main()

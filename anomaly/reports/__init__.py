"""One file a report: what the store knows, arranged for somebody's own tools. To add one, add a file with one function."""

"""What is measured and compared: `make bench`, `make compare`."""

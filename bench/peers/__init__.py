"""What a user would pick instead, measured beside the product in one run: `make bench`, read docs/performance.md."""

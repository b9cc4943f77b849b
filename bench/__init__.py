"""Measures how much of a bare POST-to-INSERT the whole way of a result keeps: `make bench`, read docs/performance.md."""

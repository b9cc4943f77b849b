"""Whether lists stay as quick with many stored runs: `python -m bench.reading`, read docs/performance.md."""

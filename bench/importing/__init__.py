"""A thousand small logs by `fsf import` beside inspect_ai's own table of them: `make bench-import`, read docs/performance.md."""

"""Whether anything is lost or doubled when replies are dropped and the server is killed: `make bench-faults`, read docs/performance.md."""

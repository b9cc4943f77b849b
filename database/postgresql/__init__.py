"""Django's PostgreSQL with a pool that gives the connection out first that was used last."""

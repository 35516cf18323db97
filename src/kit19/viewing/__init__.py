"""``kit19 view``: builds, audits, results, comparisons and runs as pages of a local server."""

"""What everything else is written in: errors, order, paths, and what is written to disk."""

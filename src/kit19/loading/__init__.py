"""Loads upstream records and builds as polars, Arrow, pandas or ``datasets`` objects."""

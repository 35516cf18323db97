"""How well the benchmarks of today are found, by what their cards count as found."""

"""Building: records of a recipe's subsets in, instruction rows on disk out."""

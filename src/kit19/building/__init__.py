"""Building: turn the records of a recipe's subsets into a folder of instruction rows."""

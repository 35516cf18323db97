"""What the pages show, read from the opened folders."""

"""What several pages share: text that is safe in a page, and Korean glyphs."""

"""Parts that several HTML pages share: escaping of text, and Korean glyphs."""

"""Characters of untrusted text that act on a terminal or a page instead of being shown there."""

from __future__ import annotations

HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # Cc, except tab and line feed
    "\u2028\u2029"  # line and paragraph separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # Bidi_Control, and the deprecated ones
    "\ufff9-\ufffb"  # interlinear annotations
    "\ufffe\uffff"  # noncharacters, which XML does not allow
    "\ud800-\udfff"  # lone surrogates, which no encoding supports
)
"""All of them, as the inside of a character class of ``re``. Directional marks display text in
another order than it is stored. Joiners are not among them: emoji and several scripts need them."""

"""The template language: parse, check, choose, render."""

from kit19.rendering.choose import choose, count_choices, find_unfit
from kit19.rendering.conversations import choose_conversations, render_conversations
from kit19.rendering.load import load_templates
from kit19.rendering.render import render
from kit19.rendering.templates import ParsedTemplate, TemplateSet

__all__ = [
    "ParsedTemplate",
    "TemplateSet",
    "choose",
    "choose_conversations",
    "count_choices",
    "find_unfit",
    "load_templates",
    "render",
    "render_conversations",
]

"""Chatting: asking a trained model."""

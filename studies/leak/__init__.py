"""What leaked benchmark items are worth."""

"""The pages of each kind of folder: what they read, and the template that shows it."""

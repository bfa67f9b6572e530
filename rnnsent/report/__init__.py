"""A run as something to read: tables, figures, Markdown."""

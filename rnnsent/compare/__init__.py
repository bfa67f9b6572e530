"""Recipes times seeds on the same reviews: measured into a record, which pages are drawn from."""

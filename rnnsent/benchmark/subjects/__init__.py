"""The implementations that are compared, a module each."""

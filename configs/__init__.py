"""Declared agreements and settings, as TOML files."""

"""Fraud rings across lenders: tokens and edges in, scored rings with their reasons out. Pure."""

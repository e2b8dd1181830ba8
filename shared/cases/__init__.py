"""Fraud rings across lenders: the words that lenders and the case desk exchange."""

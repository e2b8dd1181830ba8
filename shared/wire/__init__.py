"""Typed messages between coordinator and lender, and their form in Flower's records."""

"""A run's figures as one page that can be opened, printed and mailed without a network."""

from server.report.page import write_report

__all__ = ["write_report"]

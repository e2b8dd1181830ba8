"""The coordinator, and the researcher's simulation of a whole consortium."""

"""A run as a pure fold over released totals: questions, answers, rounds."""

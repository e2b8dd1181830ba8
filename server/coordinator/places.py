"""Names in a run's folder, for whoever looks at it without loading what trains models."""

AGREEMENT = "agreement.json"
STAGES = "stages"
MODEL = "model"
ANSWER = "answer.json"
"""Of a batch about borrowing, which has no model."""

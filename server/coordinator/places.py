"""Names in a run's folder, for whoever looks at it without loading what trains models."""

AGREEMENT = "agreement.json"
STAGES = "stages"
MODEL = "model"
ANSWER = "answer.json"
"""Of a batch about borrowing, which has no model."""
GIVEN_UP = "given-up"
"""Of a batch that never gets one: when somebody gave it up."""

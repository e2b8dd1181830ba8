"""Names in a run's folder, for whoever looks at it without loading what trains models."""

AGREEMENT = "agreement.json"
STAGES = "stages"
MODEL = "model"

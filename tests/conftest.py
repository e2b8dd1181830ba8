"""What every test shares: one thread for torch, hypothesis without a deadline."""

import os
import warnings

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from hypothesis import HealthCheck, settings

with warnings.catch_warnings():  # what its dependencies find deprecated in each other is not ours
    warnings.simplefilter("ignore", DeprecationWarning)
    import flwr.app  # noqa: F401

torch.set_num_threads(1)
# Machines are shared and slow at times: a slow example is not a wrong one.
settings.register_profile(
    "lianfang", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("lianfang")

"""What every test shares: one thread for torch, hypothesis without a deadline."""

import os

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
# Machines are shared and slow at times: a slow example is not a wrong one.
settings.register_profile(
    "lianfang", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.load_profile("lianfang")

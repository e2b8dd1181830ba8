"""A package of ours as if this process had not loaded it, for one test."""

from __future__ import annotations

import sys

import pytest


def hide(patch: pytest.MonkeyPatch, *packages: str) -> None:
    """Until `patch` is undone. What is imported meanwhile is a second copy, which Python also puts
    into the parent package: that name is put back, too, or a later patch by name misses its mark.
    """
    for name in packages:
        parent, _, child = name.rpartition(".")
        patch.delattr(sys.modules[parent], child, raising=False)
        patch.delitem(sys.modules, name, raising=False)

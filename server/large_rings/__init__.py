"""Rings among more edges than one process holds: the detection of `shared/rings`, in parts."""

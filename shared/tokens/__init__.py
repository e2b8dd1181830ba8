"""Tokens that nobody can reverse: threshold 2HashDH over ristretto255 and its canonical inputs."""

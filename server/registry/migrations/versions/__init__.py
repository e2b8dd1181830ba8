"""Alembic's steps from one form of the database to the next; `upgrade head` runs at every start."""

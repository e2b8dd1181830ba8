"""A member institution: reads its own table, answers questions, keeps what is its own."""

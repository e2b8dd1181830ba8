"""What two institutions must hold identically for a protocol to be right. Does no I/O."""

"""What the studio looks like: one page, its scripts, and every word on it."""

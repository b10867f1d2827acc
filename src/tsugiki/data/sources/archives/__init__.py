"""Photos packed into one file, and files packed once more inside it."""

"""What this machine has found out about networks before, and backbones that are known by it."""

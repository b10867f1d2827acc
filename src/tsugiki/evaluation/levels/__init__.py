"""What a taxonomy makes of probabilities of classes: those of their parents, and how good answers are level by level."""

"""What computes features, and which of them is used."""

"""Libraries of architectures and weights, one file each."""

"""Which pretrained network is best for these photos: measured, not guessed."""

"""Fine-tuning: all layers learn, from the fitted head on."""

"""Floor 6: fit a head on features, the fine-tuning loop, the loop of the articles, history, trackers."""

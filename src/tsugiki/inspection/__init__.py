"""What features say about photos and labels, before training and after."""

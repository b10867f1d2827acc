"""One fit: photos and a classifier in, a run out; and the loop of the articles."""

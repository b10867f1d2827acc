"""A trained classifier as files for other programs, proven to answer the same."""

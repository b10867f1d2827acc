"""Linear heads fitted on stored features."""

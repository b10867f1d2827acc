"""What a person sees: a terminal, a notebook."""

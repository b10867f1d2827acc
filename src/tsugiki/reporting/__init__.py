"""Pictures, pages, the model card, the run folder."""

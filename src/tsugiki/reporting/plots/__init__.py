"""Pictures of runs, photos and networks."""

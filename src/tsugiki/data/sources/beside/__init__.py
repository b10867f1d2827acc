"""Labels, splits and groups that stand in files beside the photos, and what of it is not read."""

"""Where photos come from: folders, manifests, archives, data sets that are fetched."""

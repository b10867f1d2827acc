"""Photos at addresses: fetched once into the cache, and files from there on."""

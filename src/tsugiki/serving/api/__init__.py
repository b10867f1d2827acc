"""What the server answers at which address: /v1, the Open Inference Protocol at /v2, metrics, and a small page."""

"""Self-contained HTML pages in two languages."""

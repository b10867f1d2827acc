"""Commands that measure what the documents claim. Each writes a section of ``benchmarks/RESULTS.md``."""

"""More photos for what is there: a table with further labels, or new photos for a finished run."""

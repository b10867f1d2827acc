"""Parts of a network and ways of computing a step that give the same numbers, faster."""

"""The language of the person who reads: sentences in English and Japanese."""

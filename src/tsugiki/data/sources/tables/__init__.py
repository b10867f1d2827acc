"""Tables of photos: files of rows, what their columns mean, what their cells say, and where their paths lead."""

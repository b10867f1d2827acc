"""The studio in the browser: photos become a classifier by looking, pressing keys and seeing what it is worth."""

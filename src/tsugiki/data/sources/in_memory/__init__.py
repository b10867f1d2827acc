"""Photos that a Python program holds already, in lists and objects of its own."""

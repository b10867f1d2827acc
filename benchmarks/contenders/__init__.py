"""The same job done in different ways, each as a program of its own that prints its accuracy as JSON."""

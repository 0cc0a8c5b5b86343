"""Training programs written as for PyTorch, with the library as a parameter."""

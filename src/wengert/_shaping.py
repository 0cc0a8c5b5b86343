"""Functions and methods that change shapes: views, joining, splitting, repeating."""

FUNCTIONS = {}
METHODS = {}

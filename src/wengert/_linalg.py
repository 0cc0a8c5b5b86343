"""Matrix products and linear algebra."""

FUNCTIONS = {}
METHODS = {}

# One compiled pass of an optimizer over all its parameters.

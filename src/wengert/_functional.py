"""What nn.functional takes from the core: activations, normalisation, convolution, losses."""

FUNCTIONS = {}
METHODS = {}

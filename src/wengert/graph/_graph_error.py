"""What is raised for graphs that are not legal."""


class GraphError(RuntimeError):
    """A graph is not legal; the message names the node and the line that made it."""

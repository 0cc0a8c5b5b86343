"""Settings of torch's compiler: any name can be set and read, is False until it is set, and changes nothing."""


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return False

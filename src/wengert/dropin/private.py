"""Names of `torch._C` that packages call on their way: they report or ask what has no meaning here."""


def _log_api_usage_once(event):
    """Nothing is reported."""


def _get_tracing_state():
    """Nothing is traced."""
    return None

"""The names of `torch.hub`: where it keeps files; nothing is downloaded."""

import os

from wengert._missing import INSTEAD, explain

from .absent import stand_in

__getattr__ = explain(__name__)
_folder = None

load, list, help, load_state_dict_from_url, download_url_to_file = (
    stand_in(f"hub.{name}", INSTEAD["hub"])
    for name in ("load", "list", "help", "load_state_dict_from_url", "download_url_to_file")
)


def get_dir():
    """The folder for downloaded files: that of `set_dir`, else `hub` in TORCH_HOME or in the user's cache."""
    if _folder is not None:
        return _folder
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.join(os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))), "hub")


def set_dir(d):
    """Choose the folder for downloaded files."""
    global _folder
    _folder = os.path.expanduser(d)

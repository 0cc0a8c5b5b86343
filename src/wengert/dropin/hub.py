"""The names of `torch.hub`: where it keeps files; nothing is downloaded."""

import os
import re
from urllib.parse import urlparse  # noqa: F401  (a name that packages import)

from wengert._missing import INSTEAD, explain

from .absent import stand_in

_folder = None

load, list, help, load_state_dict_from_url, download_url_to_file = (
    stand_in(f"hub.{name}", INSTEAD["hub"])
    for name in ("load", "list", "help", "load_state_dict_from_url", "download_url_to_file")
)


load_url = load_state_dict_from_url  # its name in torch.utils.model_zoo


def __getattr__(name):
    if name == "tqdm":  # packages import it from here
        from tqdm.auto import tqdm

        return tqdm
    return explain(__name__)(name)


# How a downloaded file's name ends: with a part of its hash.
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")


def _get_torch_home():
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")))


def get_dir():
    """The folder for downloaded files: that of `set_dir`, else `hub` in TORCH_HOME or in the user's cache."""
    return os.path.join(_get_torch_home(), "hub") if _folder is None else _folder


def set_dir(d):
    """Choose the folder for downloaded files."""
    global _folder
    _folder = os.path.expanduser(d)

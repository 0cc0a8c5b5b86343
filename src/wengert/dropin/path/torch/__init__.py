"""What processes find that inherited the import path of a program run as torch: it turns the switch on for them."""

import sys

sys.modules.pop(__name__)

from wengert.dropin import as_torch  # noqa: E402

as_torch()

import torch  # noqa: E402

sys.modules[__name__] = torch

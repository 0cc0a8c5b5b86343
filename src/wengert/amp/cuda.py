"""Mixed precision under the names of `torch.cuda.amp`: for a GPU, and so switched off."""

import functools

from wengert import amp

custom_fwd = functools.partial(amp.custom_fwd, device_type="cuda")
custom_bwd = functools.partial(amp.custom_bwd, device_type="cuda")


class autocast(amp.autocast):  # noqa: N801  (torch's name)
    """`wengert.autocast` for "cuda": disabled with a warning, because there is no GPU."""

    def __init__(self, enabled=True, dtype=None, cache_enabled=True):
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`wengert.amp.GradScaler` for "cuda": disabled with a warning, because there is no GPU."""

    def __init__(self, *args, **kwargs):
        super().__init__("cuda", *args, **kwargs)

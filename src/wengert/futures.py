"""Values that come later, as `torch.futures` has them: results of other threads, with callbacks."""

import concurrent.futures

from ._missing import explain

__all__ = ["Future", "collect_all", "wait_all"]
__getattr__ = explain(__name__)


class Future:
    """A value that some thread will set once.

    Example:
        >>> import wengert
        >>> f = wengert.futures.Future()
        >>> g = f.then(lambda done: done.value() + 1)
        >>> f.set_result(2)
        >>> g.wait()
        3
    """

    def __class_getitem__(cls, kind):
        return cls

    def __init__(self, *, devices=None):
        self._inner = concurrent.futures.Future()

    def done(self):
        """Whether the value, or an exception, has been set."""
        return self._inner.done()

    def wait(self):
        """Block until the value is there and return it; raises the exception that was set instead."""
        return self._inner.result()

    def value(self):
        """The value; raises RuntimeError before it is there."""
        if not self.done():
            raise RuntimeError("Future.value: expected a future that is done, got one that is not. Use wait().")
        return self._inner.result()

    def set_result(self, result):
        """Set the value and run the callbacks; raises RuntimeError when there is one already."""
        self._once(self._inner.set_result, result)

    def set_exception(self, result):
        """Set an exception, which wait() and value() raise."""
        if not isinstance(result, Exception):
            raise AssertionError(f"Future.set_exception: expected an Exception, got {result!r}.")
        self._once(self._inner.set_exception, result)

    @staticmethod
    def _once(setter, value):
        try:
            setter(value)
        except concurrent.futures.InvalidStateError:
            raise RuntimeError("Future: expected one that is not done, got one with a value.") from None

    def then(self, callback):
        """Return a future of callback(self), which is called when this one is done."""
        later = Future()

        def run(_):
            try:
                later.set_result(callback(self))
            except Exception as error:
                later.set_exception(error)

        self._inner.add_done_callback(run)
        return later

    def add_done_callback(self, callback):
        """Call callback(self) when this one is done; at once where it is."""
        self._inner.add_done_callback(lambda _: callback(self))


def collect_all(futures):
    """A future of the list of futures, done when all of them are."""
    futures, later = list(futures), Future()
    left = [len(futures)]
    if not futures:
        later.set_result(futures)

    def count(_):
        left[0] -= 1
        if not left[0]:
            later.set_result(futures)

    for future in futures:
        future.add_done_callback(count)
    return later


def wait_all(futures):
    """The values of all futures, as a list; raises the first exception among them."""
    return [future.wait() for future in collect_all(futures).wait()]

"""Short-time Fourier transforms with PyTorch's arguments."""

from . import _core
from ._bind import OPS
from ._functional_image import fold
from ._overload import Publisher, cast, check_tensor
from ._padding import pad

Tensor = _core.Tensor
publish = Publisher()
FUNCTIONS, METHODS = publish.functions, publish.methods


def _window_of(op, window, win_length, n_fft, like):
    """The window in the middle of n_fft points; ones where there is none."""
    if window is None:
        window = _core.full((win_length,), 1.0, like.dtype.to_real())
    if tuple(window.shape) != (win_length,):
        raise RuntimeError(f"{op}: expected a window of shape ({win_length},), got {tuple(window.shape)}.")
    left = (n_fft - win_length) // 2
    return pad(window, (left, n_fft - win_length - left)) if win_length < n_fft else window


def _check_sizes(op, n_fft, hop_length, win_length):
    if n_fft <= 0:
        raise RuntimeError(f"{op}: expected n_fft of at least 1, got {n_fft}.")
    if hop_length <= 0:
        raise RuntimeError(f"{op}: expected hop_length of at least 1, got {hop_length}.")
    if not 0 < win_length <= n_fft:
        raise RuntimeError(f"{op}: expected win_length in [1, {n_fft}], got {win_length}.")


@publish()
def stft(
    input,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    center=True,
    pad_mode="reflect",
    normalized=False,
    onesided=None,
    return_complex=None,
    align_to_window=None,
):
    """The Fourier transforms of overlapping pieces of a signal: (T,) or (B, T) → (..., frequencies, frames).

    Args:
        input: a signal or a batch of them, real or complex.
        n_fft: the points of a transform. hop_length: between pieces, n_fft // 4 where it is None.
        win_length, window: the window (ones where it is None), padded to n_fft.
        center: pieces are centred at their times; the signal is padded by `pad_mode`.
        normalized: divides by the root of n_fft.
        onesided: the first half of the frequencies alone; by default for real signals and windows.
        return_complex: True for complex results (they have to be asked for with real signals), False for a last dimension of
            real and imaginary part.

    Raises RuntimeError for other shapes, sizes out of range, and without a return_complex for real signals.

    Example:
        >>> import wengert
        >>> spectrum = wengert.stft(wengert.ones(16), 8, window=wengert.hann_window(8), return_complex=True)
        >>> spectrum.shape
        wengert.Size([5, 9])
    """
    from . import fft

    hop_length = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    if not check_tensor("stft", input).dtype.is_inexact:
        raise RuntimeError(f"stft: expected a floating or complex signal, got {input.dtype}.")
    if input.dim() not in (1, 2):
        raise RuntimeError(f"stft: expected a signal (T,) or (B, T), got shape {tuple(input.shape)}.")
    has_complex = input.dtype.is_complex or (window is not None and window.dtype.is_complex)
    if return_complex is None:
        if not has_complex:
            raise RuntimeError(
                "stft: expected return_complex for a real signal, got none. Pass return_complex=True."
            )
        return_complex = True
    _check_sizes("stft", n_fft, hop_length, win_length)
    signal = input if input.dim() == 2 else OPS["unsqueeze"](input, 0)
    if center:
        signal = pad(OPS["unsqueeze"](signal, 1), (n_fft // 2, n_fft // 2), pad_mode).squeeze(1)
    if signal.shape[-1] < n_fft:
        raise RuntimeError(f"stft: expected a signal of at least {n_fft} points, got {signal.shape[-1]}.")
    pieces = signal.unfold(-1, n_fft, hop_length) * _window_of("stft", window, win_length, n_fft, input)
    onesided = not has_complex if onesided is None else onesided
    if onesided and has_complex:
        raise RuntimeError("stft: expected onesided=False for complex signals or windows, got True.")
    transform = fft.rfft if onesided else fft.fft
    spectrum = transform(pieces, norm="ortho" if normalized else "backward").transpose(-1, -2)
    spectrum = spectrum if input.dim() == 2 else spectrum.squeeze(0)
    return spectrum if return_complex else OPS["view_as_real"](OPS["clone"](spectrum))


def _overlapped(pieces, hop_length):
    """Pieces (..., n, frames) added up at their places: (..., n + (frames - 1) hop_length)."""
    n, frames = pieces.shape[-2:]
    columns = pieces if pieces.dim() == 3 else OPS["unsqueeze"](pieces, 0)
    length = n + (frames - 1) * hop_length
    return fold(columns, (1, length), (1, n), stride=(1, hop_length)).reshape(columns.shape[0], length)


@publish()
def istft(
    input,
    n_fft,
    hop_length=None,
    win_length=None,
    window=None,
    center=True,
    normalized=False,
    onesided=None,
    length=None,
    return_complex=False,
):
    """The signal of a short-time Fourier transform, the inverse of stft: (..., frequencies, frames) → (T,) or (B, T).

    Pieces are weighted with the window and added; the sum is divided by that of the squared windows. `length` cuts or
    pads the signal. Raises RuntimeError where the windows leave points without weight.
    """
    from . import fft

    hop_length = n_fft // 4 if hop_length is None else hop_length
    win_length = n_fft if win_length is None else win_length
    _check_sizes("istft", n_fft, hop_length, win_length)
    if not check_tensor("istft", input).dtype.is_complex:
        raise RuntimeError(f"istft: expected a complex spectrum, got {input.dtype}. Use view_as_complex() first.")
    if input.dim() not in (2, 3):
        raise RuntimeError(f"istft: expected a spectrum (N, T) or (B, N, T), got shape {tuple(input.shape)}.")
    onesided = (input.shape[-2] != n_fft) if onesided is None else onesided
    rows = n_fft // 2 + 1 if onesided else n_fft
    if input.shape[-2] != rows:
        raise RuntimeError(f"istft: expected {rows} frequencies, got {input.shape[-2]}.")
    if onesided and return_complex:
        raise RuntimeError("istft: expected onesided=False for a complex signal, got True.")
    spectrum = input if input.dim() == 3 else OPS["unsqueeze"](input, 0)
    taps = _window_of("istft", window, win_length, n_fft, input)
    norm = "ortho" if normalized else "backward"
    if return_complex:
        pieces = fft.ifft(spectrum.transpose(-1, -2), norm=norm)
    else:  # the other half of the frequencies is that of a real signal
        pieces = fft.irfft(spectrum[:, : n_fft // 2 + 1].transpose(-1, -2), n=n_fft, norm=norm)
    frames = spectrum.shape[-1]
    pieces = (pieces * taps).transpose(-1, -2)
    if pieces.dtype.is_complex:
        parts = OPS["view_as_real"](OPS["clone"](pieces))
        signal = OPS["complex_of"](_overlapped(parts[..., 0], hop_length), _overlapped(parts[..., 1], hop_length))
    else:
        signal = _overlapped(pieces, hop_length)
    weight = OPS["expand"](OPS["unsqueeze"](taps * taps, 1), (n_fft, frames))
    weight = cast(_overlapped(weight, hop_length)[0], taps.dtype)
    start = n_fft // 2 if center else 0
    end = signal.shape[-1] - (n_fft // 2 if center else 0) if length is None else start + length
    signal, weight = signal[..., start:end], weight[start:end]
    if weight.numel() and float(OPS["amin"](OPS["abs"](weight.detach()))) < 1e-11:
        raise RuntimeError("istft: expected windows that cover every point, got points without weight.")
    signal = signal / weight
    if length is not None and signal.shape[-1] < length:
        signal = pad(signal, (0, length - signal.shape[-1]))
    return signal if input.dim() == 3 else signal.squeeze(0)

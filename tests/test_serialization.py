"""Saving and loading: everything comes back, damage is found, nothing is executed, no half-written file."""

import collections
import io
import math
import os
import pickle
import random
import signal
import struct
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

import wengert
from wengert.serialization import FormatError, load_safetensors, save_safetensors

COMPLEX = [getattr(wengert, name) for name in ("complex64", "complex128") if hasattr(wengert, name)]
DTYPES = [
    wengert.bool,
    wengert.uint8,
    wengert.int8,
    wengert.int16,
    wengert.int32,
    wengert.int64,
    wengert.float16,
    wengert.bfloat16,
    wengert.float32,
    wengert.float64,
    *COMPLEX,
]


def round_trip(obj):
    file = io.BytesIO()
    wengert.save(obj, file)
    file.seek(0)
    result = wengert.load(file)
    assert file.read() == b""
    return result


def values(tensor):
    return tensor.float().tolist() if tensor.dtype == wengert.bfloat16 else tensor.tolist()


NESTED = {
    "none": None,
    "bools": [True, False],
    "ints": [0, -1, 2**53, -(2**64), 10**5000],
    "floats": [0.0, -0.0, 0.1, 5e-324, math.inf, -math.inf, 1e308],
    "complex": complex(-0.0, 1.5),
    "strings": ["", "ä\u2028\x00", "\ud800"],
    "bytes": [b"", b"\x00\xff", bytearray(b"abc")],
    "tuple": (1, (2, [3]), ()),
    "sets": [{1, 2}, frozenset({"a"}), set()],
    1: "int key",
    2.5: "float key",
    False: "bool key",
    (1, "a"): "tuple key",
    None: "none key",
    "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
    "counter": collections.Counter({3: 2}),
    "dtype": wengert.float64,
    "size": wengert.Size([2, 3]),
}


def test_plain_objects_come_back_with_their_types():
    result = round_trip(NESTED)
    assert result == NESTED
    assert list(result) == list(NESTED)
    assert math.copysign(1, result["floats"][1]) == -1 and math.copysign(1, result["complex"].real) == -1
    for key in ("ordered", "counter", "tuple", "size"):
        assert type(result[key]) is type(NESTED[key])
    assert type(result["bytes"][2]) is bytearray
    table = round_trip(collections.defaultdict(list, a=[1]))
    assert table["new"] == [] and table["a"] == [1]


def test_nan_keeps_its_bits():
    odd = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000001234))[0]
    assert struct.pack("<d", round_trip(odd)) == struct.pack("<d", odd)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (7,), (3, 4), (2, 3, 4)])
def test_tensors_come_back(dtype, shape):
    count = math.prod(shape)
    x = (wengert.arange(count) % 5 - (0 if dtype == wengert.uint8 else 1)).to(dtype).reshape(shape)
    y = round_trip({"x": x})["x"]
    assert y.dtype == dtype and tuple(y.shape) == shape and values(y) == values(x)
    assert not y.requires_grad and y.is_leaf


def test_views_share_their_storage_again():
    base = wengert.arange(12, dtype=wengert.float32).reshape(3, 4)
    state = {"base": base, "row": base[1], "transposed": base.t(), "again": base, "step": base[:, ::2]}
    result = round_trip(state)
    for key, value in state.items():
        assert values(result[key]) == values(value) and tuple(result[key].stride()) == tuple(value.stride())
    assert result["again"] is result["base"]
    result["row"].fill_(-1.0)
    assert result["transposed"][2, 1].item() == -1.0 and result["step"][1, 1].item() == -1.0


def test_only_the_used_part_is_written():
    big = wengert.zeros(100_000)
    file = io.BytesIO()
    wengert.save([big[500:510], big[700:701]], file)
    assert len(file.getvalue()) < 4000
    file.seek(0)
    first, second = wengert.load(file)
    assert values(first) == [0.0] * 10 and values(second) == [0.0]


def test_views_of_several_dtypes_share_memory():
    x = wengert.tensor([1.0, 2.0, -3.0])
    bits = x.view(wengert.int32)
    y, loaded = round_trip([x, bits[1:]])
    assert values(y) == values(x) and values(loaded) == values(bits[1:])
    loaded.fill_(0)
    assert values(y) == [1.0, 0.0, 0.0]


def test_expanded_tensors_stay_small():
    x = wengert.tensor([2.0]).expand(1000, 1000)
    file = io.BytesIO()
    wengert.save(x, file)
    assert len(file.getvalue()) < 1000
    file.seek(0)
    assert tuple(wengert.load(file).shape) == (1000, 1000)


def test_parameters_modules_and_optimizers():
    model = wengert.nn.Linear(3, 2)
    optimizer = wengert.optim.Adam(model.parameters())
    schedule = wengert.optim.lr_scheduler.MultiStepLR(optimizer, [1, 1, 3])
    model(wengert.ones(1, 3)).sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
    loaded = round_trip({**state, "p": model.weight, "frozen": wengert.nn.Parameter(wengert.ones(1), False)})
    assert isinstance(loaded["p"], wengert.nn.Parameter) and loaded["p"].requires_grad
    assert isinstance(loaded["frozen"], wengert.nn.Parameter) and not loaded["frozen"].requires_grad
    other = wengert.nn.Linear(3, 2)
    other.load_state_dict(loaded["model"])
    assert values(other.weight) == values(model.weight)
    other_optimizer = wengert.optim.Adam(other.parameters())
    other_optimizer.load_state_dict(loaded["optimizer"])
    schedule.load_state_dict(loaded["schedule"])


def test_numpy_values_come_back():
    arrays = [
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.array(3.5),
        np.zeros((0, 2)),
        np.array(["ab", "c"]),
        np.array([b"x"]),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.asfortranarray(np.ones((2, 3), np.complex64)),
        np.array([True]),
    ]
    for array, result in zip(arrays, round_trip(arrays), strict=True):
        assert isinstance(result, np.ndarray) and result.shape == array.shape
        assert result.dtype == array.dtype.newbyteorder("=") and (result == array).all()
    scalars = [np.float32(0.1), np.int64(-3), np.bool_(True), np.str_("ab")]
    assert [type(s) for s in round_trip(scalars)] == [type(s) for s in scalars]
    assert round_trip(scalars) == scalars


class Custom(dict):
    """A container of the user's."""


def test_what_cannot_be_stored_is_named():
    cases = [
        ({"model": {"hook": lambda: 0}}, TypeError, r"state\['model'\]\['hook'\]"),
        ([1, (2, (n for n in ()))], TypeError, r"generator at state\[1\]\[1\]"),
        ({"m": Custom(f=lambda: 0)}, TypeError, r"imported by its name.*state\['m'\]"),
        ({"m": os}, TypeError, r"module at state\['m'\]"),
        ({"a": np.array([None])}, TypeError, r"state\['a'\]"),
        ({"a": collections.defaultdict(lambda: 0)}, TypeError, r"state\['a'\]"),
        ({(lambda: 0): 1}, TypeError, "the key"),
    ]
    for state, error, text in cases:
        with pytest.raises(error, match=text):
            wengert.save(state, io.BytesIO())
    loop = []
    loop.append(loop)
    with pytest.raises(ValueError, match="contains itself"):
        wengert.save(loop, io.BytesIO())
    deep = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(ValueError, match="levels"):
        wengert.save(deep, io.BytesIO())
    shared = [1]
    assert round_trip([shared, shared]) == [[1], [1]]


def test_nothing_is_written_when_an_object_cannot_be_stored(tmp_path):
    path = tmp_path / "state.wgt"
    wengert.save({"old": 1}, path)
    with pytest.raises(TypeError):
        wengert.save({"bad": lambda: 0}, path)
    assert wengert.load(path) == {"old": 1}
    assert os.listdir(tmp_path) == ["state.wgt"]


def test_a_failing_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "state.wgt"
    wengert.save({"old": 1}, str(path))

    def fail(*args):
        raise OSError("disk full")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(OSError, match="disk full"):
                wengert.save({"new": wengert.zeros(1000)}, path)
        assert wengert.load(path) == {"old": 1}
        assert os.listdir(tmp_path) == ["state.wgt"]


def test_links_and_modes_are_kept(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    wengert.save(1, target)
    os.chmod(target, 0o640)
    link.symlink_to(target)
    wengert.save(2, link)
    assert link.is_symlink() and wengert.load(target) == 2
    assert os.stat(target).st_mode & 0o777 == 0o640


def test_several_states_in_one_file_object():
    file = io.BytesIO()
    wengert.save({"a": wengert.ones(3)}, file)
    wengert.save("second", file)
    file.seek(0)
    assert values(wengert.load(file)["a"]) == [1.0, 1.0, 1.0]
    assert wengert.load(file) == "second"


STATE = {"w": wengert.arange(40, dtype=wengert.float32), "n": 7, "b": b"abc", "x": 0.5, "t": (1, "z")}


def same_state(a):
    return a["w"].tolist() == STATE["w"].tolist() and {**a, "w": 0} == {**STATE, "w": 0}


def check_damage(data, load):
    """Loading damaged data either raises FormatError or gives exactly the state (padding may differ)."""
    try:
        assert same_state(load(data))
    except FormatError:
        return 1
    return 0


def test_every_cut_and_every_flipped_byte_is_found(tmp_path):
    file = io.BytesIO()
    wengert.save(STATE, file)
    data = file.getvalue()
    path = tmp_path / "f"

    def load(damaged):
        path.write_bytes(damaged)
        return wengert.load(path)

    for end in range(len(data)):
        with pytest.raises(FormatError):
            load(data[:end])
    with pytest.raises(FormatError, match="appended"):
        load(data + b"x")
    found = 0
    for i in range(len(data)):
        found += check_damage(data[:i] + bytes([data[i] ^ (1 << i % 8)]) + data[i + 1 :], load)
    assert found > 0.7 * len(data)  # the rest is padding


def forged(header):
    """Return a file with a header of our choice and right checksums."""
    from wengert.serialization import native

    text = header.encode() if isinstance(header, str) else header
    start = struct.pack("<8sIIQ", native.MAGIC, 1, 0, len(text))
    return start + native._digest(start, text).digest() + text


@pytest.mark.parametrize("header", [
    "", "null", "[]", "{}", "{" , "[" * 100_000, '{"root":' + "[" * 900 + "]" * 900 + "}", "9" * 10_000,
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["nope"]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["tensor",0]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["tensor",-1]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["bytes",0]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["float","zz"]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["float","00"]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["set",[["list",[]]]]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":{"a":1}}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["size",["a"]]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["device","cuda:x"]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["defaultdict",[],"eval"]}',
    '{"buffers":[[0,99999999999999,"00"]],"length":99999999999999,"tensors":[],"storages":[],"root":["bytes",0]}',
    '{"buffers":[[0,-5,"00"]],"length":0,"tensors":[],"storages":[],"root":["bytes",0]}',
    '{"buffers":[],"length":0,"storages":[],"root":["tensor",0],"tensors":[{"dtype":"float32","shape":'
    '[99999999999],"stride":[1],"offset":0,"storage":null,"requires_grad":false,"parameter":false}]}',
    '{"buffers":[],"length":0,"storages":[],"root":["tensor",0],"tensors":[{"dtype":"float32","shape":'
    '[0,99999999999999999999],"stride":[1,1],"offset":0,"storage":null,"requires_grad":false,"parameter":false}]}',
    '{"buffers":[[0,0,"cae66941d9efbd404e4d88758ea67670"]],"length":0,"storages":[[0,"float32"]],"root":["tensor",0],'
    '"tensors":[{"dtype":"float32","shape":[2],"stride":[1],"offset":0,"storage":0,"requires_grad":false,'
    '"parameter":false}]}',
    '{"buffers":[],"length":0,"storages":[[0,"object"]],"root":null,"tensors":[]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["scalar","|O8","0000000000000000"]}',
    '{"buffers":[],"length":0,"tensors":[],"storages":[],"root":["scalar","<f4","00"]}',
    '{"buffers":[],"length":0,"storages":[],"root":null,"tensors":[{"dtype":"int32","shape":[0],"stride":[1],'
    '"offset":0,"storage":null,"requires_grad":true,"parameter":false}]}',
    '{"buffers":[[0,0,"cae66941d9efbd404e4d88758ea67670"]],"length":0,"tensors":[],"storages":[],"root":'
    '["array","<U0",[1000000000000],0]}',
])  # fmt: skip
def test_forged_headers_are_refused(header):
    with pytest.raises(FormatError):
        wengert.load(io.BytesIO(forged(header)))


def test_random_bytes_never_crash():
    rng = random.Random(0)
    starts = [b"", b"\x89WGT\r\n\x1a\n\x01\0\0\0\0\0\0\0", b"PK\x03\x04", b"\x10\0\0\0\0\0\0\0{", b"\x80\x02}q\0."]
    for i in range(500):
        with pytest.raises(FormatError):
            wengert.load(io.BytesIO(starts[i % len(starts)] + rng.randbytes(rng.randrange(200))))


def test_wrong_map_locations_raise():
    file = io.BytesIO()
    wengert.save(1, file)
    for location in ("cpu", None, wengert.device("cpu"), {"cuda:0": "cpu"}, lambda storage, place: storage):
        file.seek(0)
        assert wengert.load(file, map_location=location) == 1
    with pytest.raises(ValueError, match="on the CPU"):
        wengert.load(file, map_location="cuda")


WRITER = """
import sys, wengert
path, seed = sys.argv[1], 0
while True:
    seed += 1
    wengert.save({"seed": seed, "w": wengert.full((20000,), float(seed))}, path)
    if seed == 1:
        print("ready", flush=True)
"""


def test_killing_the_writer_leaves_a_whole_file(tmp_path):
    path = tmp_path / "state.wgt"
    rng = random.Random(1)
    last = 0
    for _ in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        try:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(rng.random() * 0.05)
        finally:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
            writer.stdout.close()
        state = wengert.load(path)
        assert state["w"].tolist() == [float(state["seed"])] * 20000
        last = max(last, state["seed"])
    assert last > 1


# Files of torch


def torch_file(obj, **options):
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    torch.save(obj, file, **options)
    file.seek(0)
    return file


def test_torch_files_are_read():
    torch = pytest.importorskip("torch")
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    state = {
        "tensors": [torch.zeros(2, 3).to(getattr(torch, str(d).split(".")[-1])) for d in DTYPES],
        "base": base,
        "view": base.t()[1],
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "model": torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).state_dict(),
        "plain": [1, -(2**70), 0.5, "text", b"bytes", None, True, (1, 2), {3}, 1 + 2j, collections.Counter("aab")],
        "size": torch.Size([2, 3]),
        "dtype": torch.float64,
    }
    loaded = wengert.load(torch_file(state))
    for dtype, tensor in zip(DTYPES, loaded["tensors"], strict=True):
        assert tensor.dtype == dtype and values(tensor) == [[0.0] * 3] * 2
    assert loaded["base"].tolist() == base.tolist()
    loaded["view"].fill_(-1.0)
    assert loaded["base"][0, 1].item() == -1.0
    assert loaded["scalar"].item() == 2.5 and tuple(loaded["empty"].shape) == (0, 3)
    assert isinstance(loaded["parameter"], wengert.nn.Parameter) and loaded["parameter"].requires_grad
    assert loaded["plain"] == state["plain"] and tuple(loaded["size"]) == (2, 3)
    assert loaded["dtype"] == wengert.float64
    assert list(loaded["model"]) == list(state["model"])
    model = wengert.nn.Sequential(wengert.nn.Linear(2, 3), wengert.nn.BatchNorm1d(3))
    model.load_state_dict(loaded["model"])
    for key, tensor in state["model"].items():
        assert model.state_dict()[key].tolist() == tensor.tolist()


def test_torch_optimizer_state_is_read():
    torch = pytest.importorskip("torch")
    p = torch.ones(2, requires_grad=True)
    theirs = torch.optim.Adam([p], amsgrad=True)
    p.grad = torch.ones(2)
    theirs.step()
    q = wengert.ones(2, requires_grad=True)
    ours = wengert.optim.Adam([q], amsgrad=True)
    ours.load_state_dict(wengert.load(torch_file(theirs.state_dict(), pickle_protocol=4)))
    assert ours.state[q]["step"].item() == 1.0
    assert values(ours.state[q]["exp_avg"]) == theirs.state[p]["exp_avg"].tolist()


class Attack:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def zip_with_pickle(program):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/byteorder", "little")
    file.seek(0)
    return file


def test_forged_torch_files_run_nothing(tmp_path):
    marker = tmp_path / "marker"
    attacks = [pickle.dumps(Attack(os.mkdir, str(marker)), protocol=protocol) for protocol in (1, 2, 3, 4, 5)]
    attacks += [
        pickle.dumps(Attack(eval, f"__import__('os').mkdir({str(marker)!r})"), protocol=2),
        b"\x80\x02cbuiltins\ngetattr\n(X\x01\x00\x00\x00aX\x01\x00\x00\x00btR.",
        b"\x80\x02ctorch._utils\n__builtins__\n.",
        b"(S'echo'\nios\nsystem\n.",
        b"\x80\x02r\xff\xff\xff\xff.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"\x80\x02h\x05.",
        b"\x80\x02.",
        b"\x80\x02)",
        b"",
        b"\x80\x02ccollections\nOrderedDict\n)R}X\x09\x00\x00\x00__class__q\x00K\x01sb" + b"K\x01a.",
        b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
        b"X\x03\x00\x00\x00cpuJ\xff\xff\xff\x7ftQ.",
        b"\x80\x02cbuiltins\nbytearray\n(K\xfftR.",
        b"\x80\x02cbuiltins\nset\n(](]etR.",
    ]
    for program in attacks:
        with pytest.raises(FormatError):
            wengert.load(zip_with_pickle(program))
    assert not marker.exists()
    assert wengert.load(zip_with_pickle(b"\x80\x02]r\xff\xff\xff\xff.")) == []
    for damaged in (b"PK\x03\x04", b"PK\x03\x04" + bytes(100)):
        with pytest.raises(FormatError):
            wengert.load(io.BytesIO(damaged))
    with pytest.raises(FormatError, match="bare pickle"):
        wengert.load(io.BytesIO(pickle.dumps({"a": 1}, protocol=2)))


def test_whole_torch_modules_are_refused_by_name():
    torch = pytest.importorskip("torch")
    with pytest.raises(FormatError, match=r"torch\.nn\.modules\.linear\.Linear"):
        wengert.load(torch_file(torch.nn.Linear(1, 1)))


def test_damaged_torch_files_raise():
    torch = pytest.importorskip("torch")
    data = torch_file({"w": torch.arange(10.0)}).getvalue()
    rng = random.Random(2)
    for _ in range(300):
        i = rng.randrange(len(data))
        try:
            loaded = wengert.load(io.BytesIO(data[:i] + bytes([data[i] ^ (1 << rng.randrange(8))]) + data[i + 1 :]))
            assert loaded["w"].tolist() == list(range(10))
        except FormatError:
            pass
    for end in range(0, len(data) - 30, 7):
        with pytest.raises(FormatError):
            wengert.load(io.BytesIO(data[:end]))


def test_compressed_zip_files_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**6))
    file.seek(0)
    with pytest.raises(FormatError, match="uncompressed"):
        wengert.load(file)


# safetensors


def test_safetensors_round_trip(tmp_path):
    state = {str(d): (wengert.arange(6) % 2).to(d).reshape(2, 3) for d in DTYPES if str(d) != "wengert.complex128"}
    state["scalar"] = wengert.tensor(1.5)
    state["empty"] = wengert.zeros(0, 2)
    state["transposed"] = wengert.arange(6.0).reshape(2, 3).t()
    path = tmp_path / "m.safetensors"
    save_safetensors(state, path, metadata={"format": "pt"})
    loaded, metadata = load_safetensors(path, with_metadata=True)
    assert metadata == {"format": "pt"} and list(loaded) == list(state)
    for key, value in state.items():
        assert loaded[key].dtype == value.dtype and values(loaded[key]) == values(value)
        assert tuple(loaded[key].shape) == tuple(value.shape)
    assert list(wengert.load(path)) == list(state)
    with pytest.raises(TypeError, match="names and tensors"):
        save_safetensors({"a": 1}, path)
    for dtype in COMPLEX[1:]:
        with pytest.raises(TypeError, match="complex128"):
            save_safetensors({"a": wengert.zeros(1, dtype=dtype)}, path)
    with pytest.raises(FormatError):
        load_safetensors(io.BytesIO(b"abc"))


@pytest.mark.parametrize("header", [
    b"{", b"[]", b"{}x", b'{"a":1}', b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}',
    b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
    b'{"a":{"dtype":"X","shape":[1],"data_offsets":[0,4]}}',
    b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
    b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,399999999996]}}',
    b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
    b'{"a":{"dtype":["F32"],"shape":[1],"data_offsets":[0,4]}}',
    b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}',
])  # fmt: skip
def test_forged_safetensors_are_refused(header):
    with pytest.raises(FormatError):
        load_safetensors(io.BytesIO(len(header).to_bytes(8, "little") + header + bytes(4)))
    with pytest.raises(FormatError):
        wengert.load(io.BytesIO(len(header).to_bytes(8, "little") + header + bytes(4)))

#!/usr/bin/python3
"""Writes the fixtures of tests/unit/test_format_*.c with NumPy, to whose formats they must agree.

    /usr/bin/python3 tests/data/formats/make.py

The files are committed; run this only to change them. Output does not depend on the clock.

foreign_net.onnx is not among them: PyTorch wrote it.
"""
import io
import json
import os
import struct
import zipfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
A = np.array([[1, -2, 3], [4, 5, -6]])


def put(name, data):
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)


def npy(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asanyarray(array), version=version)
    return out.getvalue()


def archive(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for name, data in members:
            info = zipfile.ZipInfo(name)  # 1980-01-01
            info.compress_type = method
            file.writestr(info, data)
    return out.getvalue()


def npz(arrays, **options):
    return archive([(name + ".npy", npy(array)) for name, array in arrays.items()], **options)


def safetensors(tensors, metadata=None):
    """tensors: name -> (dtype, shape, bytes)"""
    header, values = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [len(values), len(values) + len(data)]}
        values += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + values


def as_safetensors(arrays, dtype):
    def encode(x):
        if dtype == "BF16":
            return (x.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        return x.astype({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[dtype]).tobytes()
    return {name: (dtype, list(x.shape), encode(x)) for name, x in arrays.items()}


# Every type and layout of .npy: each member holds A (without signs in unsigned types).
types = {}
for code in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
    for order, word in (("<", "little"), (">", "big")):
        types[f"{word}_{code}"] = (A if code[0] != "u" else abs(A)).astype(order + code)
types["fortran"] = np.asfortranarray(A.astype("<f8"))
types["fortran_big"] = np.asfortranarray(A.astype(">i2"))
members = [(name + ".npy", npy(array)) for name, array in types.items()]
members += [(f"version{v}.npy", npy(A.astype("<f8"), (v, 0))) for v in (1, 2, 3)]
put("types.npz", archive(members, zipfile.ZIP_DEFLATED))

cube = np.arange(24.0).reshape(2, 3, 4)
put("shapes.npz", npz({"cube": cube, "fortran_cube": np.asfortranarray(cube),
                       "scalar": np.float64(7), "vector": np.arange(5), "empty": np.zeros((0, 3))}))

# The same network under different names, types and containers: quarters are exact in every type.
net = {"0.weight": np.array([[1, -0.5, 0.25], [0, 2, -3], [1.5, 1, 0.75], [-1, 0.5, 4]]),
       "0.bias": np.array([0.5, -0.25, 0, 1]),
       "2.weight": np.array([[1, 2, -0.5, 0.25], [-1, 0.75, 3, 0.5]])}
relu = {"activation": "relu"}
for dtype in ("F64", "F32", "F16", "BF16"):
    put(f"net_{dtype}.safetensors", safetensors(as_safetensors(net, dtype), relu))
put("net.npz", npz(net))
put("net_deflated.npz", npz(net, method=zipfile.ZIP_DEFLATED))
put("net_f32.npz", npz({name: x.astype("<f4") for name, x in net.items()}))
put("net_described.npz", archive([(name + ".npy", npy(x)) for name, x in net.items()]
                                 + [("reckon.json", json.dumps(relu))]))
with io.BytesIO() as out:
    np.savez(out, *net.values())
    put("net_positional.npz", out.getvalue())
with io.BytesIO() as out:
    np.savez_compressed(out, W0=net["0.weight"], b0=net["0.bias"], W1=net["2.weight"])
    put("net_letters.npz", out.getvalue())
put("stack.npy", npy(np.arange(12.0).reshape(3, 2, 2)))
put("matrix.npy", npy(np.asfortranarray(A.astype("<f8"))))

# A block that adds its input, spelled out; names that no order of shapes would tell.
layers = [{"weight": "up.weight", "activation": "relu"},
          {"weight": "down.weight", "adds": "input", "name": "y"},
          {"activation": "tanh", "weight_scale": 0.5},
          {"weight": "out.weight", "reads": 4, "adds": "y"}]
block = {"up.weight": net["0.weight"], "up.bias": net["0.bias"],
         "down.weight": net["0.weight"].T.copy(), "out.weight": np.eye(3)}
put("net_residual.safetensors",
    safetensors(as_safetensors(block, "F32"), {"layers": str(layers)}))
put("net_residual.npz", archive([(name + ".npy", npy(x)) for name, x in block.items()]
                                + [("reckon.json", json.dumps({"layers": layers}))]))

# Archives that must be refused.
one = np.array([[1.0]])
for name, array in {"complex": one.astype("c16"), "bool": one.astype("?"), "text": np.array(["a"]),
                    "longdouble": one.astype("g"), "date": np.array(["2000"], "M8[D]"),
                    "struct": np.zeros(1, [("a", "f8")])}.items():
    put(f"bad_{name}.npz", npz({"W0": array}))
put("bad_object.npz", npz({"W0": np.array([None])}))
put("bad_duplicate.npz",
    archive([("W0.npy", npy(one)), ("W0.npy", npy(one))]))
# The same name in two encodings.
put("bad_same_name.npz", archive([("W\u00e9.npy", npy(one)), ("W%.npy", npy(one))])
    .replace(b"W%", b"W\x82"))
put("bad_member.npz", archive([("W0.npy", npy(one)), ("README.txt", "hello")]))
put("bad_folder.npz", archive([("W0.npy", npy(one)), ("folder/", "")]))
put("bad_pickle.npz", archive([("archive/data.pkl", "x"), ("archive/data/0", "y")]))
put("bad_name.npz", npz({"W\u00e9\x1b[31m": one}))  # libzip refuses it in UTF-8 and translates it in CP437
put("bad_long_name.npz", npz({"W" * 300: one}))
put("bad_bzip2.npz", npz({"W0": one}, method=zipfile.ZIP_BZIP2))
put("bad_empty.npz", archive([]))
put("bad_not_npy.npz", archive([("W0.npy", "not an array")]))
put("bad_description.npz", archive([("W0.npy", npy(one)), ("reckon.json", '{"activaton": "relu"}')]))
put("bad_description_twice.npz", archive([("W0.npy", npy(one))] + 2 * [("reckon.json", "{}")]))
put("bad_description_long.npz", archive([("reckon.json", " " * 2000000)], zipfile.ZIP_DEFLATED))

sound = npz({"W0": one})
put("bad_cut.npz", sound[:-30])
put("bad_crc.npz", sound.replace(npy(one)[-8:], b"\0\0\0\0\0\0\0\1"))
flags = bytearray(sound)
for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
    flags[flags.index(signature) + offset] |= 1
put("bad_encrypted.npz", bytes(flags))

# Archives of others, and what a bfloat16 array of JAX becomes.
put("bad_torchscript.npz", archive([("net/data.pkl", "x"), ("net/code/net.py", "y"),
                                    ("net/constants.pkl", "z")]))
put("bad_keras.npz", archive([("metadata.json", "{}"), ("config.json", "{}"),
                              ("model.weights.h5", "x")]))
put("bad_bfloat16.npz", npz({"W0": np.zeros((2, 2), "V2")}))

# A bomb: a million zeros behind a header that announces one number.
put("bad_bomb.npz", archive([("W0.npy", npy(one) + bytes(10**6))], zipfile.ZIP_DEFLATED))
# A liar: a kilobyte that claims to unpack to a gigabyte.
lie = bytearray(npz({"W0": one}, method=zipfile.ZIP_DEFLATED))
for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
    at = lie.index(signature) + offset
    lie[at:at + 4] = struct.pack("<I", 1 << 30)
put("bad_liar.npz", bytes(lie))
# A member inside the data of another: so archives grow quadratically when unpacked.
inner = npz({"W1": np.ones((16, 16))})
local, central = inner[:inner.index(b"PK\1\2")], inner[inner.index(b"PK\1\2"):inner.index(b"PK\5\6")]
outer = npz({"W0": np.frombuffer(local, "u1")})
place = outer.index(local)
central = central[:42] + struct.pack("<I", place) + central[46:]
end = outer.index(b"PK\5\6")
count, length = 2, end - outer.index(b"PK\1\2", place + len(local)) + len(central)
put("bad_overlap.npz", outer[:end] + central + outer[end:end + 8]
    + struct.pack("<HHI", count, count, length) + outer[end + 16:])
# Another: its data are longer than announced.
modest = bytearray(npz({"W0": np.ones((9, 9))}, method=zipfile.ZIP_DEFLATED))
for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
    at = modest.index(signature) + offset
    modest[at:at + 4] = struct.pack("<I", 128 + 8 * 80)
put("bad_modest.npz", bytes(modest))

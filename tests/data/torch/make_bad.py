"""Archives no PyTorch writes, out of old_state.pt: bad_*.pt, and a sound one of a big-endian machine."""
import zipfile

import numpy

members = {}
with zipfile.ZipFile("old_state.pt") as archive:
    for name in archive.namelist():
        members[name.split("/", 1)[1]] = archive.read(name)


def put(name, changes, compression=zipfile.ZIP_STORED, root="any name/"):
    with zipfile.ZipFile(name, "w", compression) as archive:
        for member, data in {**members, **changes}.items():
            if data is not None:
                archive.writestr(zipfile.ZipInfo(root + member), data, compression)


swapped = {m: numpy.frombuffer(d, "<f4").astype(">f4").tobytes()
           for m, d in members.items() if m.startswith("data/")}
put("big_endian.pt", {**swapped, "byteorder": b"big"})
put("no_folder.pt", {}, root="")
put("bad_byteorder.pt", {"byteorder": b"middle"})
put("bad_size.pt", {"data/0": members["data/0"] + b"\0"})
put("bad_short.pt", {"data/1": members["data/1"][:-4]})
put("bad_missing.pt", {"data/3": None})
put("bad_compressed.pt", {}, zipfile.ZIP_DEFLATED)
put("bad_pickle.pt", {"data.pkl": members["data.pkl"][:-1]})
put("bad_opcode.pt", {"data.pkl": b"\x80\x02F1.5\n."})
put("bad_script.pt", {"constants.pkl": b"\x80\x02).", "code/net.py": b"pass"})

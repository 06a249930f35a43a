"""Writes the ctypes declarations of reckon.h, so that nobody has to keep them.

    python3 declare.py reckon.h SONAME OUTPUT [C compiler ...]

The preprocessor expands the header's lists; what is left is a small regular language: enums,
structures, function types, functions, and inline functions that fill a structure with defaults.
What is not understood is an error, never left out.
"""

import re
import subprocess
import sys

NUMBERS = {
    "bool": ("c_bool", "bool"),
    "int": ("c_int", "int"),
    "size_t": ("c_size_t", "int"),
    "int64_t": ("c_int64", "int"),
    "uint64_t": ("c_uint64", "int"),
    "uint8_t": ("c_uint8", "int"),
    "double": ("c_double", "float"),
}


def preprocessed(header, compiler):
    """The header without comments and macros, and its plain numeric macros."""
    text = re.sub(r"^#include.*$", "", header, flags=re.M)
    command = [*compiler, "-E", "-P", "-x", "c", "-U__GNUC__", "-"]
    code = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    macros = {}
    for name, value in re.findall(r"^#define (RK_\w+) +\(?(-?\d+|UINT64_MAX)\)?$", text, re.M):
        macros[name] = str(2**64 - 1) if value == "UINT64_MAX" else value
    return code, macros


class Declarations:
    def __init__(self):
        self.lines = []
        self.enums, self.functions, self.structures = set(), set(), set()

    def ctype(self, base, stars):
        """The ctypes expression and the annotation of a C type without its qualifiers."""
        if stars and base in ("char", "void"):
            inner, stars = ("c_char_p" if base == "char" else "c_void_p"), stars - 1
        elif base == "void":
            inner = "None"
        elif base in NUMBERS:
            inner = NUMBERS[base][0]
        elif base in self.enums:
            inner = "c_int"
        elif base in self.functions or base in self.structures:
            inner = base
        else:
            raise SystemExit(f"declare.py: unknown type {base}")
        if stars:
            return "POINTER(" * stars + inner + ")" * stars, "Any"
        annotation = NUMBERS[base][1] if base in NUMBERS else "int" if base in self.enums else "Any"
        return inner, annotation

    def variables(self, text):
        """(name, ctype, annotation) of each declarator of `const double *a, *b[3]`."""
        pointer = re.fullmatch(r"(?P<result>.+?)\(\*(?P<name>\w+)\)\((?P<parameters>.*)\)", text)
        if pointer:
            return [(pointer["name"], self.function_type(pointer), "Any")]
        for name in re.findall(r"\bstruct (\w+)", text):  # which comes later
            self.open(name)
        words = re.sub(r"\b(const|struct)\b", " ", text).strip()
        base, rest = re.match(r"(\w+)(.*)", words, re.S).groups()
        found = []
        for part in rest.split(","):
            stars, name, size = re.fullmatch(r"([\s*]*)(\w*)\s*(?:\[(\w*)\])?\s*", part).groups()
            count = stars.count("*")
            if size and base == "char":
                found.append((name, f"c_char * {size}", "Any"))  # bytes, which is also a field
            elif size:
                found.append((name, f"{self.ctype(base, count)[0]} * {size}", "Any"))
            else:
                found.append((name, *self.ctype(base, count)))
        return found

    def parameters(self, text):
        if text.strip() in ("", "void"):
            return []
        found = []
        for part in text.split(","):
            (name, kind, _), = self.variables(part.strip())
            array = re.fullmatch(r"c_char \* \w+", kind)  # as a parameter, a pointer
            found.append("c_char_p" if array else kind)
        return found

    def function_type(self, match):
        (_, result, _), = self.variables(match["result"].strip() + " result")
        return f"CFUNCTYPE({', '.join([result, *self.parameters(match['parameters'])])})"

    def declare(self, kind, text):
        if enum := re.fullmatch(r"(?:typedef )?enum ?(\w*) ?\{(.*)\} ?\w*", text):
            if enum[1]:
                self.enums.add(enum[1])
            value = -1
            for entry in filter(None, map(str.strip, enum[2].split(","))):
                name, _, given = entry.partition("=")
                value = int(given) if given else value + 1
                self.lines.append(f"{name.strip()} = {value}")
        elif structure := re.fullmatch(r"(?:typedef )?struct (\w+) ?\{(.*)\} ?\w*", text):
            fields = []
            for field in filter(None, map(str.strip, structure[2].split(";"))):
                fields += self.variables(field)
            self.open(structure[1])
            self.lines += [f"{structure[1]}._fields_ = ["]
            self.lines += [f'    ("{name}", {kind}),' for name, kind, _ in fields]
            self.lines += ["]"]
            mark = self.lines.index(f"class {structure[1]}(Structure):")
            notes = [f"    {name}: {note}" for name, _, note in fields]
            self.lines[mark + 1 : mark + 2] = notes
        elif opened := re.fullmatch(r"typedef struct (\w+) \1", text):
            self.open(opened[1])
        elif pointer := re.fullmatch(
            r"typedef (?P<result>.+?)\(\*(?P<name>\w+)\)\((?P<parameters>.*)\)", text
        ):
            self.functions.add(pointer["name"])
            self.lines.append(f"{pointer['name']} = {self.function_type(pointer)}")
        elif function := re.fullmatch(r"(?P<result>.+?)(?P<name>\w+)\((?P<parameters>.*)\)", text):
            (_, result, _), = self.variables(function["result"].strip() + " result")
            arguments = ", ".join(self.parameters(function["parameters"]))
            self.lines.append(f'FUNCTIONS["{function["name"]}"] = ({result}, [{arguments}])')
        else:
            raise SystemExit(f"declare.py: cannot read: {text}")

    def open(self, name):
        if name not in self.structures:
            self.structures.add(name)
            self.lines += [f"class {name}(Structure):", "    pass"]

    def default(self, name, result, body):
        """static inline RESULT NAME(void) { ... }: fills `rk_standard` field by field."""
        self.lines += [f"def {name}() -> {result}:", f"    rk_standard = {result}()"]
        for statement in filter(None, map(str.strip, body.split(";"))):
            if value := re.fullmatch(r"(rk_standard\.\w+) = sizeof rk_standard", statement):
                self.lines.append(f"    {value[1]} = sizeof(rk_standard)")
            elif re.fullmatch(r"rk_standard\.\w+ = [\w.+-]+", statement):
                self.lines.append(f"    {statement}")
            elif not re.match(rf"{result} rk_standard$|memset\(|return ", statement):
                raise SystemExit(f"declare.py: cannot read: {statement}")
        self.lines.append("    return rk_standard")


def statements(code):
    """Top-level statements, white space collapsed; inline functions with their bodies."""
    depth, start = 0, 0
    for i, c in enumerate(code):
        depth += (c == "{") - (c == "}")
        text = code[start : i + 1]
        if depth == 0 and (c == ";" or (c == "}" and "static inline" in text)):
            yield re.sub(r"\s+", " ", text).strip().rstrip(";").strip()
            start = i + 1
    if code[start:].strip():
        raise SystemExit(f"declare.py: cannot read: {code[start:].strip()[:80]}")


def main(header, soname, output, *compiler):
    with open(header) as file:
        code, macros = preprocessed(file.read(), compiler or ["cc"])
    declarations = Declarations()
    for text in statements(code):
        inline = re.fullmatch(r"static inline (\w+) (\w+)\(void\) \{(.*)\}", text)
        if inline:
            declarations.default(inline[2], inline[1], inline[3])
        else:
            declarations.declare(None, text)
    head = [
        '"""The declarations of reckon.h, made from it by declare.py."""',
        "from ctypes import CFUNCTYPE, POINTER, Structure, sizeof",
        "from ctypes import (c_bool, c_char, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint8,",
        "                    c_uint64, c_void_p)",
        "from typing import Any, Dict, List, Tuple",
        f'SONAME = "{soname}"',
        "FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {}",
        *[f"{name} = {value}" for name, value in macros.items()],
    ]
    with open(output, "w") as file:
        file.write("\n".join(head + declarations.lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

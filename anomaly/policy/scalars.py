"""What an unquoted word of YAML means to the API server: the scalar rules of sigs.k8s.io/yaml (YAML 1.1 as goyaml.v2 reads it).

They are not PyYAML's: `y` and `n` are booleans, `1e3` and `0o17` are numbers, `12:30` and `2024-01-01` stay strings.
"""

from __future__ import annotations

import math
import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Final

from anomaly.policy.node import Unreadable

Scalar = None | bool | int | float | str

TAG: Final = "tag:yaml.org,2002:"
_RESOLVABLE: Final = frozenset(
    f"{TAG}{name}" for name in ("str", "bool", "int", "float", "null", "timestamp")
)
_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(
        ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"),
        False,
    ),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_POINT_FLOAT: Final = re.compile(r"\.[0-9]+([eE][-+]?[0-9]+)?\Z")
_INTEGER: Final = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))\Z")
_DATE: Final = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:[Tt ]\d{1,2}:\d{1,2}:\d{1,2}.*)?\Z")


def resolve(tag: str, text: str) -> Scalar:
    """This will return the value of a plain scalar, or of one with an explicit tag ("" = none).

    Raises Unreadable when the text is not what its tag says.
    """
    if tag == f"{TAG}binary":
        return _binary(text)
    if tag and tag not in _RESOLVABLE:
        return text
    if tag == f"{TAG}str":
        return text
    if tag == f"{TAG}timestamp" and _DATE.match(text):
        return text
    value = _plain(text)
    if tag in {"", _tag_of(value)}:
        return value
    if tag == f"{TAG}float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    raise Unreadable(f"cannot decode {_short(_tag_of(value))} `{text}` as a {_short(tag)}")


def _plain(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == "." and _POINT_FLOAT.match(text):
        return _finite(text)
    if first in "+-0123456789":
        return _number(text.replace("_", ""), text)
    return text


def _number(plain: str, text: str) -> Scalar:
    match = _INTEGER.match(plain)
    if match:
        integer = _integer(match)
        if -(1 << 63) <= integer < 1 << 63 or (not match[1] and integer < 1 << 64):
            return integer
        if not (match[4] or match[5]):
            return integer
    if _FLOAT.match(plain):
        value = _finite(plain)
        return text if isinstance(value, str) else value
    return text


def _integer(match: re.Match[str]) -> int:
    sign, hexadecimal, binary, octal, decimal = match.groups()
    for digits, radix in ((hexadecimal, 16), (binary, 2), (octal, 8), (decimal, 10)):
        if digits:
            # Longer than this nothing fits 64 bits, and Python's own conversion limit is near.
            magnitude = int(digits, radix) if len(digits) <= 80 else 1 << 80
            return -magnitude if sign == "-" else magnitude
    return 0


def _finite(text: str) -> Scalar:
    value = float(text)
    return text if math.isinf(value) else value


def _binary(text: str) -> str:
    try:
        return b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except Base64Error as error:
        raise Unreadable("!!binary value contains invalid base64 data") from error


def _tag_of(value: Scalar) -> str:
    if value is None:
        return f"{TAG}null"
    return f"{TAG}{ {bool: 'bool', int: 'int', float: 'float', str: 'str'}[type(value)] }".replace(" ", "")


def _short(tag: str) -> str:
    return f"!!{tag[len(TAG) :]}" if tag.startswith(TAG) else tag

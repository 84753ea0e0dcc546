"""How Go writes strings and numbers into messages; the server's own wording is full of them."""

from __future__ import annotations

import json

_ESCAPES = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
}


def quoted(text: str) -> str:
    """This will return the text as Go's `%q` prints it."""
    return f'"{"".join(map(_quoted_letter, text))}"'


def _quoted_letter(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if letter == " " or letter.isprintable():
        return letter
    code = ord(letter)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quoted_byte(byte: int) -> str:
    """This will return a byte as Go's JSON scanner names a character it did not expect."""
    if byte == ord("'"):
        return r"'\''"
    if byte == ord('"'):
        return "'\"'"
    return f"'{quoted(chr(byte))[1:-1]}'"


def json_list(values: tuple[str, ...]) -> str:
    """This will return a list of strings as Go's JSON encoder writes it, with the letters of HTML escaped."""
    text = json.dumps(list(values), ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def short_float(value: float) -> str:
    """This will return a float as a mapping key becomes one: shortest form of 32 bits, exponent from 21 digits on."""
    if value == int(value) and abs(value) < 1e7:
        return str(int(value))
    return f"{value:.8g}"

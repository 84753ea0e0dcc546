"""Cells of tables that a spreadsheet may open: what an attacker named must not become a formula (OWASP, CSV injection)."""

from __future__ import annotations

from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def harmless(text: str) -> str:
    """This will return the text with a quote in front when it begins like a formula, white space before that passed over, too.

    >>> harmless("=cmd|' /C calc'!A0")
    "'=cmd|' /C calc'!A0"
    """
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text

"""Tokens, keys and passwords in a text of any kind, known by their look or by the name before them.

Every pattern is RE2: linear in the text, whatever a sender writes. Shapes follow what the issuers document (JWS and JWE compact
form in RFC 7515 and 7516, PEM in RFC 7468, bearer in RFC 6750, AWS unique ids, GitHub, GitLab, Slack, Google, Stripe, npm,
Docker and Vault token prefixes).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final

import re2

from anomaly.redaction.stand_in import WORD, Kind, StandIns, Tally, is_stand_in

JWT: Final = r"eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*){1,4}"
PEM: Final = r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)((?s:.*?))(-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)"
PEM64: Final = r"LS0tLS1CRUdJTi[A-Za-z0-9+/=_-]{20,}"
BEARER: Final = r"((?i:bearer|authorization\W{0,4}basic)(?:\\t|\s|%20|\+){1,4})([A-Za-z0-9._~+/=-]{8,})"
URL_LOGIN: Final = r"(://[^/\s:@\"']*:)([^/\s@\"'$<{]+)(@)"

TOKENS: Final = (
    ("AKIA", r"\bAKIA[0-9A-Z]{16}\b"),
    ("ASIA", r"\bASIA[0-9A-Z]{16}\b"),
    *((f"gh{kind}_", rf"\bgh{kind}_[A-Za-z0-9]{{30,}}") for kind in "pousr"),
    ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{22,}"),
    ("glpat-", r"\bglpat-[A-Za-z0-9_.-]{20,}"),
    *((f"xox{kind}-", rf"\bxox{kind}-[A-Za-z0-9-]{{10,}}") for kind in "abeoprs"),
    ("AIza", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("ya29.", r"\bya29\.[0-9A-Za-z_-]{20,}"),
    ("sk_live_", r"\bsk_live_[0-9A-Za-z]{16,}"),
    ("rk_live_", r"\brk_live_[0-9A-Za-z]{16,}"),
    ("sk-", r"\bsk-[A-Za-z0-9_-]{32,}"),
    ("npm_", r"\bnpm_[A-Za-z0-9]{36}"),
    ("dckr_pat_", r"\bdckr_pat_[A-Za-z0-9_-]{20,}"),
    ("hvs.", r"\bhvs\.[A-Za-z0-9_-]{20,}"),
    ("anomaly_", r"\banomaly_[0-9A-Za-z]{49}"),
)
"""(what a key of a service begins with, how it looks): the beginning stays, and so does the length."""

NAMES: Final = (
    r"(?:password|passwd|passphrase|secret[_.-]?key|secret[_.-]?access[_.-]?key|api[_.-]?key|access[_.-]?key|account[_.-]?key"
    r"|private[_.-]?key|client[_.-]?secret|shared[_.-]?access[_.-]?signature|(?:access|auth|refresh|id|session|bearer)[_.-]?token)"
)
"""Words for what must not be read; `token` alone says too little."""

_SEPARATOR: Final = r"(?:\\{0,3}[\"'])?\s{0,4}(?:=>|[:=]|%3[DdAa])\s{0,4}(?:\\{0,3}[\"'])?"
_VALUE: Final = r"[^\s\"'\\,;&<>{}\[\]|]{4,}"
ASSIGNED: Final = rf"((?i:{NAMES}){_SEPARATOR})({_VALUE})"
TOKEN_ASSIGNED: Final = rf"((?i:\btoken){_SEPARATOR})([A-Za-z0-9._~+/=-]{{16,}})"
FLAG: Final = (
    r"(--?(?i:[a-z-]{0,40}(?:password|passwd|passphrase|token|secret|api-?key|access-?key|secret-?key)))"
    r"(\s{1,4})([^\s\"'\\-][^\s\"'\\]{3,})"
)
BOOTSTRAP: Final = r"(\btoken\W{1,6})([a-z0-9]{6}\.[a-z0-9]{16})\b"
MANIFEST: Final = r"(?m)^\s*(?:- )?kind:\s*[\"']?Secret(?:List)?[\"']?\s*$"

_KEPT: Final = frozenset({"true", "false", "null", "none", "nil", "yes", "no"})


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = 16 << 20
    options.log_errors = False
    return options


def _compiled(pattern: str) -> re2._Regexp:
    return re2.compile(pattern, _options())


_ANY: Final = _compiled(
    "|".join(
        (
            JWT,
            PEM,
            PEM64,
            BEARER,
            URL_LOGIN,
            *(look for _, look in TOKENS),
            ASSIGNED,
            TOKEN_ASSIGNED,
            FLAG,
            BOOTSTRAP,
            MANIFEST,
        )
    )
)
_JWT, _PEM, _PEM64, _BEARER, _URL = map(_compiled, (JWT, PEM, PEM64, BEARER, URL_LOGIN))
_LOOKS: Final = _compiled("|".join(f"({look})" for _, look in TOKENS))
_ASSIGNED, _TOKEN, _FLAG, _BOOTSTRAP = map(_compiled, (ASSIGNED, TOKEN_ASSIGNED, FLAG, BOOTSTRAP))
_MANIFEST: Final = _compiled(MANIFEST)
_BLOCK: Final = _compiled(r"^(\s*)(?:data|stringData):\s*$")
_PAIR: Final = _compiled(r"^(\s+(?:- )?[^\s:#][^:]*:)(\s*)(.*)$")


class Texts:
    """Cleans texts, and counts what it replaced in `tally`."""

    def __init__(self, stand_ins: StandIns, tally: Tally) -> None:
        self._stand_ins = stand_ins
        self.tally = tally
        self.looking = True
        """Whether texts are searched; structure alone is cleaned while they are not."""

    def clean(self, text: str) -> str:
        """This will return the text with stand-ins where tokens, keys and passwords were; itself when there are none."""
        if len(text) < 8 or not self.looking:
            return text
        try:
            if not _ANY.search(text):
                return text
        except UnicodeEncodeError:  # half a surrogate pair: no decoder of ours lets one through
            return self.clean(text.encode("utf-8", "replace").decode())
        if _MANIFEST.search(text):
            text = self._manifest(text)
        text = _PEM.sub(self._private_key, text)
        text = _PEM64.sub(self._private_key_as_base64, text)
        text = _JWT.sub(self._jwt, text)
        text = _BEARER.sub(self._after(Kind.BEARER, _looks_random), text)
        text = _LOOKS.sub(self._known_by_look, text)
        text = _URL.sub(self._after(Kind.PASSWORD), text)
        text = _ASSIGNED.sub(self._after(Kind.PASSWORD, _says_something), text)
        text = _BOOTSTRAP.sub(self._after(Kind.TOKEN), text)
        text = _TOKEN.sub(self._after(Kind.TOKEN, _looks_random), text)
        return str(_FLAG.sub(self._after_flag, text))

    def replace(self, value: str, kind: Kind) -> str:
        """This will return the stand-in of a whole value and count it; what is empty or a stand-in stays."""
        if not value or is_stand_in(value):
            return value
        self.tally[kind] += 1
        return self._stand_ins.of(value)

    def _after(self, kind: Kind, real: Callable[[str], bool] = bool) -> Callable[[re2._Match], str]:
        def put(match: re2._Match) -> str:
            before, value = match.group(1), match.group(2)
            end = match.group(3) if match.re.groups > 2 else ""
            if WORD in value or not real(value):
                return str(match.group())
            return f"{before}{self.replace(value, kind)}{end}"

        return put

    def _after_flag(self, match: re2._Match) -> str:
        flag, gap, value = match.groups()
        return str(match.group()) if WORD in value else f"{flag}{gap}{self.replace(value, Kind.PASSWORD)}"

    def _jwt(self, match: re2._Match) -> str:
        value = str(match.group())
        return value if WORD in value else f"eyJ{self.replace(value, Kind.JWT)}"

    def _private_key(self, match: re2._Match) -> str:
        begin, value, end = match.groups()
        if not value.strip() or is_stand_in(value.strip()):
            return str(match.group())
        return f"{begin}\n{self.replace(value, Kind.PRIVATE_KEY)}\n{end}"

    def _private_key_as_base64(self, match: re2._Match) -> str:
        value = str(match.group())
        return self.replace(value, Kind.PRIVATE_KEY) if holds_private_key(value) else value

    def _known_by_look(self, match: re2._Match) -> str:
        value = str(match.group())
        prefix = next(begin for begin, _ in TOKENS if value.startswith(begin))
        again = self._stand_ins.alike(value, prefix)
        self.tally[Kind.ACCESS_KEY] += again != value
        return again

    def _manifest(self, text: str) -> str:
        """Blank the values under `data:` and `stringData:` of a Secret that somebody wrote down as YAML."""
        lines, depth = [], -1
        for line in text.split("\n"):
            indent = len(line) - len(line.lstrip())
            if depth >= 0 and line.strip() and indent <= depth:
                depth = -1
            if depth < 0:
                depth = indent if _BLOCK.search(line) else -1
            elif pair := _PAIR.search(line):
                name, gap, value = pair.groups()
                line = (
                    f"{name}{gap}{self.replace(value.strip(), Kind.SECRET)}"
                    if value.strip() not in {"|", ">", "|-", ">-"}
                    else line
                )
            elif line.strip():
                line = line[:indent] + self.replace(line.strip(), Kind.SECRET)
            lines.append(line)
        return "\n".join(lines)


def holds_private_key(text: str) -> bool:
    """This will say whether base64 begins a PEM private key."""
    head = text[:88].replace("-", "+").replace("_", "/")
    try:
        return b"PRIVATE KEY" in base64.b64decode(head[: len(head) // 4 * 4])
    except (binascii.Error, ValueError):
        return False


def _looks_random(value: str) -> bool:
    """A word of a sentence has no digits; tokens nearly always do."""
    return any(character.isdigit() for character in value) or len(value) >= 40


def _says_something(value: str) -> bool:
    return value.lower() not in _KEPT and not value.startswith(("$(", "${", "$"))

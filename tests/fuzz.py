"""Requests that no browser and no Stripe would send, and what no answer may be."""

import copy
import http.client
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit
from uuid import uuid4

from hypothesis import strategies as st

from stripe_standin.delivery import signature
from tools.demo_shop import WEBHOOK_SECRET

# What has broken programs before: here, or elsewhere.
CORPUS = [
    *("", " ", "\0", "a\0b", "%00", "%", "%zz", "\r\nSet-Cookie: a=b", "\t", "\x1b[0m"),
    *("'", '"', "';--", "') OR 1=1", "$$", "{{7*7}}", "${7*7}", "%s%n", "{0.__doc__}"),
    *("<script>alert(1)</script>", "javascript:alert(1)", "//example.com", "../../etc"),
    *("NaN", "Infinity", "-1", "0", "1e999", "0x10", "1_000", "١٢٣", "½", "1,2,3.4.5"),
    *("9" * 50, "A" * 300, "A" * 5000, "é" * 200, "\u202e", "\ufeff", "\uffff", "𝟙𝟚"),
    *("\ud800", "null", "[]", "true", "undefined", "cs_test_", "cs_test_abcdefghijkl"),
    *("kcl_", "kwh_", "=1+1", "@SUM(1)", "sync:cs_test_1"),
]
TEXTS = st.one_of(st.sampled_from(CORPUS), st.text(max_size=60))
NO_AMOUNTS = TEXTS.filter(lambda text: not any(c.isdecimal() for c in text))
NAMES = st.one_of(
    st.sampled_from(
        [
            *("nonce", "amount", "choice", "resume", "session_id", "db", "debug"),
            *("lang", "email", "given_email", "name", "reference", "utm_source"),
            "contact",
        ]
    ),
    # A parameter of this name is an error of every route of Odoo's.
    st.text(max_size=12).filter(lambda name: name != "self"),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda values: st.one_of(
        st.lists(values, max_size=4), st.dictionaries(TEXTS, values, max_size=4)
    ),
    max_leaves=12,
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("Accept-Language", "Cookie", "User-Agent", "Referer", "Origin", "Accept"),
            *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"),
            *("X-Real-IP", "X-Odoo-Database", "Range", "Authorization"),
        ]
    ),
    TEXTS,
    max_size=3,
)
CONTENT_TYPES = st.sampled_from(
    [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-7",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "application/json",
        "text/plain",
        "",
    ]
)
# Where an event is changed: all that is read of it, and some that isn't.
MEMBERS = [
    *(("id",), ("type",), ("created",), ("livemode",), ("account",), ("context",)),
    *(("object",), ("data",), ("related_object",), ("data", "object")),
    *(
        ("data", "object", name)
        for name in (
            *("id", "object", "currency", "charge", "payment_intent", "metadata"),
            *("customer_details", "amount_total", "status", "created"),
        )
    ),
    ("data", "object", "metadata", "checkout_payment"),
    ("data", "object", "metadata", "checkout_link"),
    ("data", "object", "metadata", "checkout_signature"),
]
# What belongs in a log and nowhere else.
LEAKS = ("Traceback", 'File "/', "psycopg2", "odoo.exceptions", "SELECT ", "sk_test_")


@dataclass(frozen=True)
class Target:
    """What strangers know of a shop: two addresses; and, of Stripe, its events."""

    url: str
    link_path: str
    webhook_path: str
    nonce: str
    events: tuple[dict, ...]


@dataclass(frozen=True)
class Request:
    """One request, as bytes go over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class Fuzzer:
    """Sends requests and looks at each answer.

    :ivar statuses: How often each status was the answer.
    """

    target: Target
    statuses: Counter = field(default_factory=Counter)

    def send(self, request: Request) -> int:
        """Send a request; the answer must be no failure of the server, and no leak."""
        status, headers, body = self._exchange(request)
        self.statuses[status] += 1
        assert status < 500, (status, request)
        text = body.decode(errors="replace")
        assert not [word for word in LEAKS if word in text], (text, request)
        assert "Set-Cookie" not in headers or "a=b" not in headers["Set-Cookie"]
        assert "<script>alert" not in text, (text, request)
        return status

    def _exchange(self, request: Request):
        address = urlsplit(self.target.url)
        server = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
        try:
            server.putrequest(request.method, request.path, skip_accept_encoding=True)
            for name, value in request.headers.items():
                server.putheader(name, _header(value))
            server.putheader("Content-Length", str(len(request.body)))
            server.endheaders(request.body)
            answer = server.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            server.close()


def _header(text: str) -> bytes:
    """A header of any bytes but those that would begin another one."""
    raw = text.encode("utf-8", "surrogatepass")
    return raw.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")


def _encode(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _query(fields: dict[str, str]) -> str:
    return "&".join(f"{_encode(k)}={_encode(v)}" for k, v in fields.items())


def _multipart(fields: dict[str, str]) -> bytes:
    parts = [
        b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
        % (_header(name), b'; filename="f"' * (len(value) % 2), _header(value))
        for name, value in fields.items()
    ]
    return b"".join(parts) + b"--x--\r\n"


# === STRANGERS === #


@st.composite
def strangers(draw, target: Target) -> Request:
    """Anything at an address of ours, by someone who can sign nothing."""
    path = draw(_paths(target))
    fields = draw(st.dictionaries(NAMES, TEXTS, max_size=4))
    headers = draw(HEADERS)
    method = draw(st.sampled_from(["POST"] * 6 + ["GET"] * 6 + ["HEAD", "PUT"]))
    if method in ("GET", "HEAD"):
        return Request(method, f"{path}?{_query(fields)}", headers)
    if draw(st.booleans()):
        # A good form, without an amount that could be paid.
        fields |= {"nonce": target.nonce, "amount": draw(NO_AMOUNTS)}
    content_type = draw(CONTENT_TYPES)
    body = draw(_bodies(fields, content_type))
    return Request(method, path, {**headers, "Content-Type": content_type}, body)


def _paths(target: Target):
    tokens = TEXTS.map(lambda text: text.replace("/", "")).filter(bool)
    return st.one_of(
        st.sampled_from([target.link_path, target.webhook_path]),
        st.sampled_from([target.link_path, f"{target.link_path}/return"]),
        tokens.map(lambda token: f"/checkout/{_encode(token)}"),
        tokens.map(lambda token: f"/checkout/{_encode(token)}/return"),
        tokens.map(lambda token: f"/checkout/{_encode(token)}/preview.png"),
        tokens.map(lambda token: f"/checkout/webhook/{_encode(token)}"),
        tokens.map(lambda token: f"{target.link_path}{_encode(token)}"),
    )


def _bodies(fields: dict[str, str], content_type: str):
    written = {"multi": _multipart, "appli": lambda it: _query(it).encode()}
    write = written.get(content_type[:5], lambda it: json.dumps(it).encode())
    return st.one_of(st.just(write(fields)), st.binary(max_size=200))


# === WHO HAS THE SIGNING SECRET === #


@st.composite
def signed_deliveries(draw, target: Target) -> Request:
    """A delivery with a good signature and nonsense somewhere in it."""
    event = copy.deepcopy(draw(st.sampled_from(target.events)))
    event["id"] = f"evt_{uuid4().hex}"
    for member in draw(st.lists(st.sampled_from(MEMBERS), min_size=1, max_size=3)):
        _set(event, member, draw(JSON))
    body = json.dumps(event).encode()
    if draw(st.integers(0, 9)) == 0:
        body = draw(st.one_of(st.binary(max_size=100), JSON.map(_dump)))
    header = signature(body, [WEBHOOK_SECRET], int(time.time()))
    headers = {"Content-Type": "application/json", "Stripe-Signature": header}
    return Request("POST", target.webhook_path, headers, body)


def _dump(value) -> bytes:
    return json.dumps(value).encode()


def _set(event: dict, member: tuple[str, ...], value) -> None:
    *way, last = member
    for name in way:
        event = event.get(name) if isinstance(event, dict) else None
    if isinstance(event, dict):
        event[last] = value

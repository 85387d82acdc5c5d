"""Stripe with canned answers: as fast as a loop can be, and as slow as is asked for.

The stand-in checks every call against Stripe's own types, which costs processor time
that a benchmark would count. This server answers from recorded objects of the
stand-in, in which only the ids are replaced: session number 7 belongs to payment number
7 of ``specimen.Cloner``. It has any number that it is asked for, and lists ``count``.
"""

import asyncio
import json
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from collections import Counter
from contextlib import contextmanager
from email.utils import formatdate

from tools import project

_CREATED = re.compile(r'"created": (\d+)')
_NUMBER = re.compile(r"bench(\d{10})")
_LISTS = ("refunds", "disputes", "events", "balance_transactions", "webhook_endpoints")
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


# -- the server -----------------------------------------------------------------------


class Answers:
    """What the server knows.

    :param specimens: Recorded objects, and the texts in them that a number replaces.
    """

    def __init__(self, specimens: dict):
        self._tokens = specimens["tokens"]
        self._texts = {
            name: json.dumps(specimens[name]) for name in ("paid", "open", "account")
        }
        self.settings = {"delay": 0, "first": 1, "count": 0, "age": 0, "balance": {}}
        self.calls = Counter()
        self.connections = 0
        self._made = 0

    def answer(self, method: str, path: str, query: dict) -> str:
        """The JSON text for a call."""
        name = path.removeprefix("/v1/").partition("/")[0]
        self.calls[f"{method} /v1/{name}"] += 1
        if found := _NUMBER.search(path):
            return self._object(name, int(found[1]))
        if path == "/v1/checkout/sessions":
            return self._list(query) if method == "GET" else self._make()
        if name == "balance":
            return json.dumps(self._balance())
        if name == "account":
            return self._texts["account"]
        if name in _LISTS:
            return _page([], False, path)
        raise LookupError(path)

    def _object(self, name: str, number: int) -> str:
        session = self._session("paid", number)
        if name == "checkout":
            return session
        intent = json.loads(session)["payment_intent"]
        charge = intent.pop("latest_charge")
        return json.dumps(charge if name == "charges" else intent)

    def _session(self, state: str, number: int) -> str:
        text, digits = self._texts[state], f"{number:010d}"
        for token, pattern in self._tokens.items():
            text = text.replace(token, pattern.format(digits))
        return _CREATED.sub(self._earlier, text) if self.settings["age"] else text

    def _earlier(self, found: re.Match) -> str:
        return f'"created": {int(found[1]) - self.settings["age"]}'

    def _list(self, query: dict) -> str:
        """A page of the sessions, newest (highest number) first."""
        first = self.settings["first"]
        last = first + self.settings["count"] - 1
        if after := _NUMBER.search(query.get("starting_after", "")):
            last = min(last, int(after[1]) - 1)
        if intent := _NUMBER.search(query.get("payment_intent", "")):
            first = last = int(intent[1])
        lowest = max(first, last + 1 - int(query.get("limit", 10)))
        numbers = range(last, lowest - 1, -1)
        texts = [self._session("paid", number) for number in numbers]
        return _page(texts, lowest > first, "/v1/checkout/sessions")

    def _make(self) -> str:
        self._made += 1
        return self._session("open", 10**9 + self._made)

    def _balance(self) -> dict:
        available = [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in self.settings["balance"].items()
        ]
        return {
            "object": "balance",
            "available": available,
            "pending": [{**row, "amount": 0} for row in available],
            "livemode": False,
        }

    def control(self, method: str, body: bytes) -> str:
        """Change settings (and start counting again), or say what was counted."""
        self.connections -= 1  # this one
        if method == "POST":
            self.settings.update(json.loads(body))
            self.calls.clear()
            self.connections = 0
        return json.dumps({"calls": self.calls, "connections": self.connections})


def _page(texts: list[str], has_more: bool, path: str) -> str:
    more = json.dumps(has_more)
    data = ", ".join(texts)
    head = f'"object": "list", "url": "{path}", "has_more": {more}'
    return f'{{{head}, "data": [{data}]}}'


async def _serve(answers: Answers, reader, writer) -> None:
    """Answer the calls of one connection, one after the other."""
    answers.connections += 1
    try:
        while request := await _read(reader):
            writer.write(await _respond(answers, *request))
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def _read(reader):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    line, *fields = head.decode("latin-1").split("\r\n")
    lengths = [f[15:] for f in fields if f.lower().startswith("content-length:")]
    body = await reader.readexactly(int(lengths[0])) if lengths else b""
    method, target, _version = line.split(" ")
    return method, target, body


async def _respond(answers: Answers, method: str, target: str, body: bytes) -> bytes:
    url = urllib.parse.urlsplit(target)
    if url.path == "/_bench":
        return _response(200, answers.control(method, body))
    await asyncio.sleep(answers.settings["delay"])
    query = dict(urllib.parse.parse_qsl(url.query))
    try:
        return _response(200, answers.answer(method, url.path, query))
    except LookupError:
        error = {"type": "invalid_request_error", "message": f"No canned {target}"}
        return _response(404, json.dumps({"error": error}))


def _response(status: int, text: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status} Canned\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nDate: {formatdate(usegmt=True)}\r\n"
        "Request-Id: req_bench\r\n\r\n"
    )
    return head.encode() + body


async def _main() -> None:
    answers = Answers(json.loads(sys.stdin.readline()))
    server = await asyncio.start_server(
        lambda reader, writer: _serve(answers, reader, writer), "127.0.0.1", 0
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until its parent ends


# -- the client -----------------------------------------------------------------------


class Stripe:
    """A running server; `url` is what ``STRIPE_API_BASE`` names."""

    def __init__(self, url: str):
        self.url = url

    def configure(self, **settings) -> None:
        """Set `delay` (seconds a call), `first` and `count` of what is listed,
        `age` (seconds before the specimen that all was created), `balance` (minor units
        by currency); counting starts again.
        """
        self._call(json.dumps(settings).encode())

    def counts(self) -> dict:
        """`calls` by method and path, and new `connections`, since the last setting;
        these questions come in connections of their own.
        """
        return self._call()

    def _call(self, body: bytes | None = None) -> dict:
        with _OPENER.open(f"{self.url}/_bench", body, timeout=30) as answer:
            return json.load(answer)


@contextmanager
def start(python, specimens: dict):
    """A server in a process of its own, ended at the end."""
    process = subprocess.Popen(
        [str(python), "-m", "benchmarks.canned"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=project.ROOT,
    )
    try:
        process.stdin.write(json.dumps(specimens) + "\n")
        process.stdin.flush()
        yield Stripe(f"http://127.0.0.1:{process.stdout.readline().strip()}")
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    asyncio.run(_main())

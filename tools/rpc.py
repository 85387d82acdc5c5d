"""A user's session with a running Odoo server, by the calls its own web client makes.

Only the standard library is needed, so that the demo and the whole-system tests can
work with Odoo as a user does: from outside, with no more rights than that user.
"""

import http.cookiejar
import itertools
import json
import urllib.request

from tools.console import Problem

_TIMEOUT = 120  # seconds; a chart of accounts takes a while


class OdooError(Problem):
    """Odoo refused a call; the text is the one that a user would read."""


class Client:
    """One user, logged in.

    :param url: The server's address, without a slash at the end.
    :raise OdooError: if the login is refused.
    """

    def __init__(self, url: str, database: str, login: str, password: str):
        self._url = url
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
        )
        self._numbers = itertools.count(1)
        identity = {"db": database, "login": login, "password": password}
        self.user_id = self._post("/web/session/authenticate", identity)["uid"]

    def call(self, model: str, method: str, *args, **kwargs):
        """Call a public method of a model.

        :raise OdooError: if Odoo refuses.
        """
        call = {"model": model, "method": method, "args": args, "kwargs": kwargs}
        return self._post(f"/web/dataset/call_kw/{model}/{method}", call)

    def create(self, model: str, **values) -> int:
        """Make one record and return its id."""
        return self.call(model, "create", [values])[0]

    def write(self, model: str, record_id: int, **values) -> None:
        """Change one record."""
        self.call(model, "write", [record_id], values)

    def read(self, model: str, record_id: int, field: str):
        """One field of one record; of a many2one its id alone."""
        (row,) = self.call(model, "read", [record_id], [field], load=None)
        return row[field]

    def search(self, model: str, domain: list, **options) -> list[int]:
        """Ids of the records that match a domain."""
        return self.call(model, "search", domain, **options)

    def rows(
        self, model: str, domain: list, fields: list[str], **options
    ) -> list[dict]:
        """Fields of the records that match; a many2one is a pair of id and name."""
        return self.call(model, "search_read", domain, fields, **options)

    def xml_id(self, name: str) -> int:
        """Id of the record with that external identifier."""
        module, _, rest = name.partition(".")
        domain = [("module", "=", module), ("name", "=", rest)]
        (row,) = self.rows("ir.model.data", domain, ["res_id"])
        return row["res_id"]

    def _post(self, path: str, params: dict):
        body = {"jsonrpc": "2.0", "id": next(self._numbers), "params": params}
        request = urllib.request.Request(
            f"{self._url}{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with self._opener.open(request, timeout=_TIMEOUT) as response:
            answer = json.load(response)
        if "error" in answer:
            data = answer["error"].get("data") or {}
            raise OdooError(data.get("message") or answer["error"]["message"])
        return answer.get("result")

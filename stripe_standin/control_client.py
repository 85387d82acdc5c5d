"""A client of the control API, for tests and the demo; standard library only."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANNOUNCEMENT = "Stand-in for Stripe on "


class StandinError(Exception):
    """The control API refused a call.

    :param status: 400, or 500 where the stand-in itself is at fault
    """

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


class Standin:
    """A running stand-in: its `url`, and a method per control call.

    The methods take and answer what `control` documents under the same names.
    """

    def __init__(self, url, process=None):
        self.url = url
        self.process = process

    @classmethod
    def start(
        cls,
        webhook_url=None,
        webhook_secret="whsec_standin",
        port=0,
        speed=10.0,
        python=sys.executable,
    ):
        """Start one in a process of its own and wait until it answers.

        It ends with `stop`, or when the process that started it ends.
        """
        command = [python, "-m", "stripe_standin", "--until-stdin-closes"]
        command += ["--port", str(port), "--speed", str(speed)]
        command += ["--webhook-secret", webhook_secret]
        command += ["--webhook-url", webhook_url] if webhook_url else []
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": _python_path()},
        )
        first_line = process.stdout.readline()
        if not first_line.startswith(ANNOUNCEMENT):
            raise StandinError(f"the stand-in did not start (status {process.wait()})")
        return cls(first_line.removeprefix(ANNOUNCEMENT).strip(), process)

    def stop(self):
        """End the process."""
        self.process.terminate()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.stop()

    # -- the whole --------------------------------------------------------------------

    def reset(self, **options):
        """Forget everything, then set options as `configure` does."""
        return self._post("/reset", options)

    def configure(self, **options):
        """Set `settings`, `keys`, `speed`, `seed`, `clock`, webhook addresses …"""
        return self._post("/configure", options)

    def settings(self, **settings):
        """Change settings of the default account in test mode."""
        return self.configure(settings=settings)

    def state(self):
        """Settings, clock and address."""
        return self._get("/state")

    def counts(self, **merchant):
        """Number of objects by kind."""
        return self._get("/counts", merchant)

    def balance(self, **merchant):
        """Sum of all balance transactions by currency, minor units."""
        return self._get("/balance", merchant)

    def clock(self):
        """`now` and `frozen`."""
        return self._get("/clock")

    def advance(self, seconds):
        """Move the clock; what became due has then happened."""
        return self._post("/clock", {"advance": seconds})

    def set_clock(self, **clock):
        """`now` and `frozen`."""
        return self._post("/clock", clock)

    # -- customers --------------------------------------------------------------------

    def pay(self, session_id, **customer):
        """Pay an open session; answers session, payment_intent and charge."""
        return self._post(f"/sessions/{session_id}/pay", customer)

    def expire(self, session_id):
        """Let a session expire now."""
        return self._post(f"/sessions/{session_id}/expire")

    def create_charge(self, amount, **charge):
        """A charge of other software on the same account."""
        return self._post("/charges", {"amount": amount, **charge})

    def settle_debit(self, object_id):
        """A pending bank debit arrives."""
        return self._post(f"/debits/{object_id}/settle")

    def fail_debit(self, object_id):
        """A pending bank debit fails."""
        return self._post(f"/debits/{object_id}/fail")

    def release(self, charge=None, **merchant):
        """Make balance transactions that wait, of one charge or of all."""
        chosen = {"charge": charge} if charge else {}
        return self._post("/balance_transactions/release", {**chosen, **merchant})

    def create_balance_transaction(self, amount, **movement):
        """Money that moves without a charge: `type`, `category`, `currency` …"""
        return self._post("/balance_transactions", {"amount": amount, **movement})

    # -- refunds, disputes, payouts ---------------------------------------------------

    def refund(self, charge, amount=None, **refund):
        """A refund made in the Stripe Dashboard."""
        part = {} if amount is None else {"amount": amount}
        return self._post("/refunds", {"charge": charge, **part, **refund})

    def change_refund(self, refund_id, action, **how):
        """`succeed`, `fail` or `cancel` a refund."""
        return self._post(f"/refunds/{refund_id}/{action}", how)

    def dispute(self, charge, **dispute):
        """A bank disputes a charge; `inquiry=True` only asks."""
        return self._post("/disputes", {"charge": charge, **dispute})

    def change_dispute(self, dispute_id, action, **how):
        """`win`, `lose`, `respond`, `reinstate`, `escalate`, `close_inquiry` …"""
        return self._post(f"/disputes/{dispute_id}/{action}", how)

    def payout(self, currency=None, **payout):
        """An automatic payout of all there is in a currency."""
        chosen = {"currency": currency} if currency else {}
        return self._post("/payouts", {**chosen, **payout})

    def change_payout(self, payout_id, action, **how):
        """`send`, `reconcile`, `pay`, `fail` or `cancel` a payout."""
        return self._post(f"/payouts/{payout_id}/{action}", how)

    def say(self, object_id, **members):
        """Show an object with these members instead of its own."""
        return self._post(f"/objects/{object_id}/say", members)

    # -- what was seen ----------------------------------------------------------------

    def requests(self, match=""):
        """The API calls so far whose `METHOD /path` contains `match`."""
        return self._get("/requests", {"match": match})

    def clear_requests(self):
        """Forget the calls so far."""
        return self._call("DELETE", "/requests")

    def events(self, type=None, **merchant):
        """All events, oldest first."""
        return self._get("/events", {"type": type, **merchant})

    def deliveries(self, state=None, type=None):
        """All deliveries, oldest first."""
        return self._get("/deliveries", {"state": state, "type": type})

    def deliver(self, ids=None, **how):
        """Send deliveries now (all held ones, or `ids`); the HTTP statuses."""
        chosen = {"ids": ids} if ids is not None else {}
        return self._post("/deliveries/send", {**chosen, **how})["statuses"]

    def repeat_event(self, event_id):
        """A second Event object about the same fact."""
        return self._post(f"/events/{event_id}/repeat")

    def retry(self):
        """Try at once what waits for a later try."""
        return self._post("/deliveries/retry")

    def idle(self, timeout=10):
        """Wait until nothing is on its way; False when the time is up."""
        return self._post("/deliveries/idle", {"timeout": timeout})["idle"]

    # -- troubles ---------------------------------------------------------------------

    def hold(self, **network):
        """Hold new deliveries until `deliver`."""
        return self.delivery_faults(hold=True, **network)

    def delivery_faults(self, **network):
        """`hold`, `lose`, `delay`, `duplicate`, `shuffle`, `seed`, `only`."""
        return self._post("/faults/deliveries", network)

    def api_fault(self, kind, match="", **fault):
        """Order a fault of the API for the next call that matches."""
        return self._post("/faults/api", {"kind": kind, "match": match, **fault})

    def clear_faults(self):
        """No more troubles."""
        return self._call("DELETE", "/faults")

    # -- transport --------------------------------------------------------------------

    def _get(self, path, query=None):
        pairs = {k: v for k, v in (query or {}).items() if v is not None}
        return self._call("GET", path + "?" + urllib.parse.urlencode(pairs))

    def _post(self, path, body=None):
        return self._call("POST", path, json.dumps(body or {}).encode())

    def _call(self, method, path, data=None):
        call = urllib.request.Request(f"{self.url}/_standin{path}", data, method=method)
        call.add_header("Content-Type", "application/json")
        try:
            with OPENER.open(call, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise StandinError(error.read().decode(), error.code) from None


def _python_path():
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(ROOT), inherited] if inherited else [str(ROOT)])


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

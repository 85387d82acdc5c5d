"""The way of a request through the API: key, fault, idempotency, execution, answer."""

import logging
import time
from dataclasses import dataclass, field

import stripe

from . import contract, errors, forms, routing
from .rendering import expanded, json_text, rendered, reworded
from .world import Origin

LOG = logging.getLogger("stripe_standin")


@dataclass(frozen=True)
class Incoming:
    """A request as it came: `form` is the body of a POST, else the query; `connection`
    is the client's port.
    """

    method: str
    path: str
    form: str
    headers: dict
    connection: int

    @property
    def idempotency_key(self):
        """The key of a POST; other methods need none."""
        return self.headers.get("Idempotency-Key") if self.method == "POST" else None


@dataclass
class Answer:
    """What goes back; `cut` says how the connection breaks, if it does."""

    status: int
    body: dict
    headers: dict = field(default_factory=dict)
    cut: str = None

    def text(self):
        """The body as Stripe prints it."""
        return json_text(self.body)


class Gate:
    """Answers the calls to `/v1` and `/v2`, and keeps a log of them."""

    def __init__(self, world):
        self.world = world

    def handle(self, incoming):
        """Answer every request, also when something fails."""
        request_id = self.world.new_id("req_", 14)
        entry = self._entry(incoming)
        try:
            answer = self._answer(incoming, entry, request_id)
        except errors.StripeError as error:
            answer = Answer(error.status, error.body())
        except Exception:
            LOG.exception("%s %s", incoming.method, incoming.path)
            answer = Answer(500, errors.broken("the stand-in has a fault").body())
        entry["status"] = None if answer.cut == "hang" else answer.status
        answer.headers = {**self._headers(incoming, request_id), **answer.headers}
        return answer

    def _entry(self, incoming):
        entry = {
            "at": time.time(),
            "method": incoming.method,
            "path": incoming.path,
            "params": None,
            "idempotency_key": incoming.headers.get("Idempotency-Key"),
            "key": None,
            "connection": incoming.connection,
            "replayed": False,
            "fault": None,
            "status": None,
        }
        with self.world.lock:
            self.world.requests.append(entry)
        return entry

    def _headers(self, incoming, request_id):
        headers = {
            "Request-Id": request_id,
            "Stripe-Version": stripe.api_version,
        }
        if incoming.idempotency_key:
            headers["Idempotency-Key"] = incoming.idempotency_key
        return headers

    def _answer(self, incoming, entry, request_id):
        entry["params"] = tree = forms.decode(incoming.form)
        with self.world.lock:
            caller = self.world.keys.caller(incoming.headers.get("Authorization"))
            fault = self.world.faults.meet(incoming.method, incoming.path)
        entry["key"] = caller.masked
        entry["fault"] = fault and fault["kind"]
        endpoint, ids = routing.find(incoming.method, incoming.path)
        if not endpoint:
            raise errors.unknown_url(incoming.method, incoming.path)
        _check_version(incoming.headers.get("Stripe-Version"))
        _check_account(incoming.headers.get("Stripe-Account"), caller)
        caller.require(endpoint.permission)
        call = Call(self.world, incoming, caller, endpoint, ids, tree, request_id)
        answer = call.answer(fault)
        entry["replayed"] = "Idempotent-Replayed" in answer.headers
        return answer


@dataclass
class Call:
    """One accepted request."""

    world: object
    incoming: Incoming
    caller: object
    endpoint: routing.Endpoint
    ids: tuple
    tree: dict
    request_id: str

    def answer(self, fault):
        """Answer it, once per idempotency key, with the fault it runs into."""
        if fault and fault["kind"] == "status" and not fault.get("saved"):
            return _refusal(fault)
        key = self.incoming.idempotency_key
        if not key:
            return self._with_fault(fault)
        return self._once(key, fault)

    def _once(self, key, fault):
        scope = (self.caller.account, self.caller.livemode)
        request = (self.incoming.method, self.incoming.path, self.tree)
        with self.world.lock:
            saved = self.world.answers.begin(
                scope, key, request, self.world.clock.now()
            )
        if saved:
            return self._replay(saved)
        try:
            return self._with_fault(
                fault, lambda answer: self._save(scope, key, answer)
            )
        except errors.StripeError:
            with self.world.lock:
                self.world.answers.abandon(scope, key)
            raise

    def _save(self, scope, key, answer):
        with self.world.lock:
            if answer is None:
                self.world.answers.abandon(scope, key)
            else:
                saved = (answer.status, answer.body, self.request_id)
                self.world.answers.finish(scope, key, saved)

    def _replay(self, saved):
        status, body, original = saved
        return Answer(
            status, body, {"Idempotent-Replayed": "true", "Original-Request": original}
        )

    def _with_fault(self, fault, save=lambda answer: None):
        """Execute; `save` gets the true answer before a fault spoils it."""
        kind = fault and fault["kind"]
        if kind == "status":
            return _saved_refusal(fault, save)
        if kind in ("slow", "hang"):
            time.sleep(fault["seconds"])
        if kind == "hang":
            save(None)
            return Answer(0, {}, cut="hang")
        answer = self._execute()
        save(answer)
        return SPOILERS.get(kind, lambda answer, fault: answer)(answer, fault)

    def _execute(self):
        params = contract.read_params(self.endpoint.params, self.tree)
        with self.world.lock:
            self.world.schedule.run_due()
            merchant = self.world.merchant(self.caller.account, self.caller.livemode)
            self.world.origin = Origin(self.request_id, self.incoming.idempotency_key)
            try:
                return self._run(merchant, params)
            finally:
                self.world.origin = Origin()

    def _run(self, merchant, params):
        try:
            result = rendered(self.endpoint.handler(merchant, params, *self.ids))
            body = expanded(result, params.get("expand", []), merchant)
            contract.check_answer(body)
            return Answer(200, reworded(body, self.world.said))
        except errors.StripeError as error:
            return Answer(error.status, error.body())
        except contract.ContractBroken as failure:
            LOG.error(
                "CONTRACT BROKEN by the answer to %s %s: %s",
                self.incoming.method,
                self.incoming.path,
                failure,
            )
            return Answer(500, errors.broken(f"contract broken: {failure}").body())


def _check_version(version):
    if version not in (None, stripe.api_version):
        raise errors.invalid(
            f"Invalid Stripe API version: {version} (the stand-in answers only "
            f"{stripe.api_version})"
        )


def _check_account(account, caller):
    if account not in (None, caller.account):
        raise errors.no_access(caller.masked, account)


def _refusal(fault):
    status = fault.get("status", 500)
    error = errors.rate_limited() if status == 429 else errors.broken()
    headers = {}
    if "should_retry" in fault:
        headers["Stripe-Should-Retry"] = "true" if fault["should_retry"] else "false"
    return Answer(status, error.body(), headers)


def _saved_refusal(fault, save):
    answer = _refusal(fault)
    save(answer)
    return answer


def _half(answer, fault):
    answer.cut = "half"
    return answer


def _lose(answer, fault):
    if not fault["seconds"]:
        return _refusal({"status": fault.get("status", 500)})
    time.sleep(fault["seconds"])
    return Answer(0, {}, cut="hang")


SPOILERS = {"half_body": _half, "lost_answer": _lose}

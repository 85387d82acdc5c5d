"""Stripe's error answers: each function builds one that Stripe documents.

Sources: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes
"""


class StripeError(Exception):
    """An error answer, raised anywhere below a request and rendered by the gate.

    :param status: HTTP status
    :param kind: Stripe's `type`, e.g. `invalid_request_error`
    :param message: text for a developer
    :param code: Stripe's short code, e.g. `parameter_missing`
    :param param: the parameter at fault, bracketed as Stripe writes it
    :param extra: further members of the error object, e.g. `decline_code`
    """

    def __init__(self, status, kind, message, code=None, param=None, extra=None):
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.code = code
        self.param = param
        self.extra = extra or {}

    def body(self):
        """The JSON body Stripe sends."""
        error = {"message": self.message, "type": self.kind, **self.extra}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = (
                "https://docs.stripe.com/error-codes#" + self.code.replace("_", "-")
            )
        if self.param:
            error["param"] = self.param
        return {"error": error}


class NotPossible(Exception):
    """Something that the control API, or the course of time, cannot bring about now."""


def invalid(message, param=None, code=None, status=400):
    """The plain `invalid_request_error`."""
    return StripeError(status, "invalid_request_error", message, code, param)


def unknown_parameter(param):
    """A parameter the pinned API version does not have."""
    return invalid(f"Received unknown parameter: {param}", param, "parameter_unknown")


def not_modeled(param):
    """Something that Stripe does and this stand-in does not."""
    return invalid(
        f"The stand-in does not model this value of `{param}` (Stripe does).",
        param,
        "standin_not_modeled",
    )


def missing_parameter(param):
    """A required parameter that was left out."""
    return invalid(f"Missing required param: {param}.", param, "parameter_missing")


def empty_parameter(param):
    """An empty string where the value cannot be unset."""
    return invalid(
        f"You passed an empty string for '{param}'. We assume empty values are an "
        f"attempt to unset a parameter; however '{param}' cannot be unset. You should "
        f"remove '{param}' from your request or supply a non-empty value.",
        param,
        "parameter_invalid_empty",
    )


def invalid_integer(param, value):
    """Anything but digits where an integer belongs."""
    return invalid(f"Invalid integer: {value}", param, "parameter_invalid_integer")


def invalid_boolean(param, value):
    """Anything but `true` or `false` where a boolean belongs."""
    return invalid(f"Invalid boolean: {value}", param)


def invalid_choice(param, options):
    """A value outside an enumeration."""
    *most, last = options
    listed = f"{', '.join(most)}, or {last}" if most else last
    return invalid(f"Invalid {param}: must be one of {listed}", param)


def invalid_shape(param, wanted):
    """A scalar for a hash, or the other way round."""
    return invalid(f"Invalid {wanted}", param)


def invalid_email(param, value):
    """An address Stripe does not take."""
    return invalid(f"Invalid email address: {value}", param, "email_invalid")


def invalid_url(param):
    """Not an absolute http(s) address."""
    return invalid("Not a valid URL", param, "url_invalid")


def not_found(kind, object_id, param="id", elsewhere=None):
    """No such object for this key; `elsewhere` names the mode that has it."""
    message = f"No such {kind}: '{object_id}'"
    if elsewhere:
        mine = "test" if elsewhere == "live" else "live"
        message += (
            f"; a similar object exists in {elsewhere} mode, but a {mine} mode key "
            "was used to make this request."
        )
    return invalid(message, param, "resource_missing", status=404)


def unknown_url(method, path):
    """A path the API (or this stand-in) does not have."""
    return invalid(
        f"Unrecognized request URL ({method}: {path}). Please see "
        "https://docs.stripe.com or we can help at https://support.stripe.com/.",
        status=404,
    )


def no_key():
    """No Authorization header."""
    return invalid(
        "You did not provide an API key. You need to provide your API key in the "
        "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
        "YOUR_SECRET_KEY').",
        status=401,
    )


def invalid_key(masked):
    """A key Stripe does not know."""
    return invalid(f"Invalid API Key provided: {masked}", status=401)


def expired_key(masked):
    """A key that was rolled."""
    return invalid(
        f"Expired API Key provided: {masked}", code="api_key_expired", status=401
    )


def forbidden(masked, account, permission):
    """A restricted key without the permission, in Stripe's words."""
    return StripeError(
        403,
        "invalid_request_error",
        f"The provided key '{masked}' does not have the required permissions for this "
        f"endpoint on account '{account}'. Having the '{permission}' permission would "
        "allow this request to continue.",
        "more_permissions_required",
    )


def no_access(masked, account):
    """The `Stripe-Account` header names an account that the key does not open."""
    return StripeError(
        403,
        "invalid_request_error",
        f"The provided key '{masked}' does not have access to account '{account}' (or "
        "that account does not exist). Application access may have been revoked.",
        "account_invalid",
    )


def idempotency_mismatch(key):
    """One idempotency key, two different requests."""
    return StripeError(
        400,
        "idempotency_error",
        "Keys for idempotent requests can only be used with the same parameters they "
        f"were first used with. Try using a key other than '{key}' if you meant to "
        "execute a different request.",
    )


def idempotency_in_use(key):
    """The first request with this key has not ended yet."""
    return StripeError(
        409,
        "idempotency_error",
        "There is currently another in-progress request using this Stripe key "
        f"'{key}' (that probably means you submitted twice, and the other request is "
        "still going through): https://docs.stripe.com/error-handling",
        "idempotency_key_in_use",
    )


def rate_limited():
    """Too many requests."""
    return StripeError(
        429,
        "invalid_request_error",
        "Request rate limit exceeded. Learn more about rate limits here "
        "https://docs.stripe.com/rate-limits.",
        "rate_limit",
    )


def broken(message="An unknown error occurred"):
    """Stripe itself is in trouble."""
    return StripeError(500, "api_error", message)

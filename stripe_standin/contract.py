"""Stripe's contract as the installed `stripe` package states it.

Requests are read by the package's TypedDicts (`stripe.params`), answers are checked
against the annotations of its resource classes; both are therefore those of the API
version the package pins. The types are turned into readers and checkers once and
kept, so that a request costs microseconds.

The package widens each enumeration with `str`; here a `str` beside a `Literal` is
dropped, so that an unknown value is an error.
"""

import functools
import inspect
import re
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

import stripe
import typing_extensions as te
from stripe._object_classes import get_object_class
from stripe._stripe_object import UntypedStripeObject
from stripe.events._event_classes import get_v2_event_class

from . import errors

HIDDEN = {"StripeContext": object, "Mapping": Mapping}
OPTIONS = frozenset(te.get_type_hints(stripe.RequestOptions, localns=HIDDEN))
INTEGER = re.compile(r"^-?[0-9]{1,18}$")
UNIONS = (typing.Union, type(int | str))


def union_members(kind):
    """The members of a union (one for a plain type), enumerations not widened."""
    if typing.get_origin(kind) not in UNIONS:
        return (kind,)
    members = typing.get_args(kind)
    closed = any(_choices(member) for member in members)
    return tuple(m for m in members if not (closed and m is str))


def _choices(kind):
    if typing.get_origin(kind) is not te.Literal:
        return ()
    return tuple(choice for choice in typing.get_args(kind) if choice != "")


# -- requests -------------------------------------------------------------------------


def read_params(params_class, tree):
    """Typed values of a decoded form.

    :param params_class: a TypedDict of `stripe.params`
    :param tree: what `forms.decode` gives
    :raises StripeError: unknown, missing or malformed parameters, in Stripe's words
    """
    return _typed_dict_reader(params_class)(tree, "")


@functools.cache
def _reader(kind):
    """A function (raw, path) -> typed value for one annotation."""
    members = union_members(kind)
    clearable = te.Literal[""] in members
    members = tuple(m for m in members if m != te.Literal[""])
    deep = [_deep_reader(m) for m in members if _is_deep(m)]
    flat = [_flat_reader(m) for m in members if not _is_deep(m)]

    def read(raw, path):
        if raw == "" and clearable:
            return ""
        if isinstance(raw, dict):
            return _first(deep, raw, path, "string")
        return _first(flat, raw, path, "object")

    return read


def _first(readers, raw, path, wanted):
    failure = errors.invalid_shape(path, wanted)
    for read in readers:
        try:
            return read(raw, path)
        except errors.StripeError as error:
            failure = error
    raise failure


def _is_deep(kind):
    origin = typing.get_origin(kind)
    return (
        te.is_typeddict(kind)
        or origin in (list, dict)
        or _is_stripe_object(origin or kind)
    )


def _deep_reader(kind):
    if te.is_typeddict(kind):
        return _typed_dict_reader(kind)
    if typing.get_origin(kind) is list:
        return _list_reader(typing.get_args(kind)[0])
    return _read_mapping


@functools.cache
def _typed_dict_reader(kind):
    hints = te.get_type_hints(kind, localns=HIDDEN)
    names = hints.keys() - OPTIONS
    readers = {name: _lazy_reader(_bare(hints[name])) for name in names}
    required = sorted(kind.__required_keys__ - OPTIONS)

    def read(raw, path):
        values = {}
        for name, value in raw.items():
            here = f"{path}[{name}]" if path else name
            if name not in readers:
                raise errors.unknown_parameter(here)
            values[name] = readers[name](value, here)
        for name in required:
            if name not in values:
                raise errors.missing_parameter(f"{path}[{name}]" if path else name)
        return values

    return read


def _lazy_reader(kind):
    """Nested types are only resolved when a request uses them."""
    return lambda raw, path: _reader(kind)(raw, path)


def _bare(kind):
    if typing.get_origin(kind) in (te.NotRequired, te.Required):
        return typing.get_args(kind)[0]
    return kind


def _list_reader(item):
    def read(raw, path):
        if not all(index.isdigit() for index in raw):
            raise errors.invalid_shape(path, "array")
        ordered = sorted(raw.items(), key=lambda pair: int(pair[0]))
        return [_reader(item)(value, f"{path}[{index}]") for index, value in ordered]

    return read


def _read_mapping(raw, path):
    for name, value in raw.items():
        if isinstance(value, dict):
            raise errors.invalid_shape(f"{path}[{name}]", "string")
    return dict(raw)


def _flat_reader(kind):
    if _choices(kind):
        return functools.partial(_read_choice, typing.get_args(kind))
    return {int: _read_integer, bool: _read_boolean, Decimal: _read_decimal}.get(
        kind, _read_text
    )


def _read_choice(choices, raw, path):
    if raw not in choices:
        raise errors.invalid_choice(path, choices)
    return raw


def _read_integer(raw, path):
    if not INTEGER.match(raw):
        raise errors.invalid_integer(path, raw)
    return int(raw)


def _read_boolean(raw, path):
    if raw not in ("true", "false"):
        raise errors.invalid_boolean(path, raw)
    return raw == "true"


def _read_decimal(raw, path):
    try:
        return Decimal(raw)
    except InvalidOperation:
        raise errors.invalid(f"Invalid decimal: {raw}", path) from None


def _read_text(raw, path):
    if raw == "":
        raise errors.empty_parameter(path)
    return raw


# -- answers --------------------------------------------------------------------------


class ContractBroken(Exception):
    """An answer of the stand-in that the package's own types do not describe.

    :param path: the member at fault
    """

    def __init__(self, path, reason):
        super().__init__(f"{path}: {reason}")
        self.path = path


def check_answer(value, path=""):
    """Check an object or a list of objects, by their `object` member, all the way down.

    :raises ContractBroken: naming the member at fault
    """
    name = value.get("object")
    here = path or name
    if name == "list":
        _check_list(value, here)
    elif value.get("deleted"):
        _require(set(value) == {"id", "object", "deleted"}, here, "deleted object")
    else:
        _class_checker(_class_of(value))(value, here)


def _class_of(value):
    if value["object"] == "v2.core.event":
        return get_v2_event_class(value["type"])
    return resource_class(value["object"])


@functools.cache
def resource_class(name):
    """The package's class of the objects that call themselves `name`."""
    found = get_object_class("V1", name)
    _require(found is not stripe.StripeObject, name, "no resource has this name")
    return found


@functools.cache
def expandable(name, field):
    """Whether `field` of the object `name` can hold an object in place of its id."""
    kind = _annotations(resource_class(name)).get(field)
    if kind is None:
        return False
    return any(
        isinstance(member, typing.ForwardRef)
        or typing.get_origin(member) is list
        and any(isinstance(arg, typing.ForwardRef) for arg in typing.get_args(member))
        or _is_list_object(member)
        for member in union_members(kind)
    )


def _is_stripe_object(kind):
    return isinstance(kind, type) and issubclass(kind, stripe.StripeObject)


def _is_list_object(kind):
    return typing.get_origin(kind) is stripe.ListObject


@functools.cache
def _annotations(cls):
    merged = {}
    for base in reversed(cls.__mro__):
        if _is_stripe_object(base) and base is not stripe.StripeObject:
            merged.update(inspect.get_annotations(base))
    return {
        name: kind
        for name, kind in merged.items()
        if name[0] != "_" and typing.get_origin(kind) is not typing.ClassVar
    }


@functools.cache
def _class_checker(cls):
    annotations = _annotations(cls)
    required = {n for n, k in annotations.items() if type(None) not in union_members(k)}
    checkers = {}

    def check(value, path):
        _require(isinstance(value, dict), path, "is no object")
        _require(
            value.keys() <= annotations.keys(),
            path,
            "unknown members in {}",
            sorted(value),
        )
        _require(required <= value.keys(), path, "lacks members, has {}", sorted(value))
        for name, member in value.items():
            if name not in checkers:
                checkers[name] = _checker(annotations[name])
            checkers[name](member, f"{path}.{name}")

    return check


@functools.cache
def _checker(kind):
    """A function (value, path) that raises unless one member of the union fits."""
    plain_last = sorted(union_members(kind), key=_is_plain)
    options = [_member_checker(member) for member in plain_last]
    if len(options) == 1:
        return options[0]

    def check(value, path):
        failures = []
        for option in options if isinstance(value, dict | list) else options[::-1]:
            try:
                return option(value, path)
            except ContractBroken as failure:
                failures.append(failure)
        raise max(failures, key=lambda failure: len(failure.path))

    return check


def _is_plain(kind):
    return isinstance(kind, type) and not _is_stripe_object(kind)


def _member_checker(kind):
    if isinstance(kind, typing.ForwardRef):
        return _check_resource
    if _choices(kind):
        return functools.partial(_check_choice, typing.get_args(kind))
    origin = typing.get_origin(kind)
    if origin is list:
        return functools.partial(_check_items, _checker(typing.get_args(kind)[0]))
    if _is_list_object(kind):
        return _check_list
    if (origin or kind) is UntypedStripeObject:
        return functools.partial(_check_mapping, typing.get_args(kind))
    if _is_stripe_object(kind):
        return _nested_checker(kind)
    return functools.partial(_check_scalar, kind)


def _nested_checker(kind):
    if "OBJECT_NAME" in vars(kind):
        return _check_resource
    return lambda value, path: _class_checker(kind)(value, path)


def _check_resource(value, path):
    _require(isinstance(value, dict), path, "is no object but {!r}", value)
    check_answer(value, path)


def _check_list(value, path):
    _require(isinstance(value, dict), path, "is no list object")
    _require(
        value.keys() == {"object", "data", "has_more", "url"}, path, "is no list object"
    )
    _check_items(_check_resource, value["data"], path)


def _check_items(check, value, path):
    _require(isinstance(value, list), path, "is no array")
    for index, item in enumerate(value):
        check(item, f"{path}[{index}]")


def _check_choice(choices, value, path):
    _require(value in choices, path, "{!r} is not one of {}", value, choices)


def _check_mapping(kinds, value, path):
    _require(isinstance(value, dict), path, "is no object")
    if kinds == (str,):
        _require(
            all(isinstance(item, str) for item in value.values()), path, "not all text"
        )


def _check_scalar(kind, value, path):
    if kind is typing.Any or kind is object:
        return
    if kind is Decimal:
        kind = str
    if kind is float and type(value) is int:
        return
    _require(type(value) is kind, path, "{!r} is no {}", value, kind.__name__)


def _require(condition, path, reason, *details):
    if not condition:
        raise ContractBroken(path, reason.format(*details))

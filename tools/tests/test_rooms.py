"""The folders of the addon's models are rooms one above the other: calls lead down."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools import project

MODELS = project.ADDON_FOLDER / "models"
# Each room may call the methods of those before it, and never of those after it.
ROOMS = ("", "gateway", "ledger", "payment", "account", "processing")
# What leads up on purpose, by room and method.
EXCEPTIONS = {
    ("gateway", "_expire_open"): "who archives a gateway ends its open checkouts",
    ("payment", "_process_gateway"): "a refund in Odoo shows its result at once",
}


class Method(NamedTuple):
    """A method of one of our models, by the room of its file."""

    room: str
    node: ast.FunctionDef


class Call(NamedTuple):
    """A name that a method of a room uses, and where."""

    room: str
    name: str
    place: str


def test_calls_lead_from_higher_rooms_to_lower_ones():
    assert [call.place for call in upward_calls() if not is_exception(call)] == []


def test_each_exception_is_still_needed():
    assert EXCEPTIONS.keys() == {(call.room, call.name) for call in upward_calls()}


def test_each_folder_is_a_room():
    folders = {path.parent.name for path in MODELS.glob("*/*.py")}
    assert folders == set(ROOMS[1:])


def is_exception(call: Call) -> bool:
    return (call.room, call.name) in EXCEPTIONS


def upward_calls() -> list[Call]:
    """What uses a method that only higher rooms have. Odoo's own methods, which we
    override, may be called from everywhere.
    """
    lowest = {name: min(levels) for name, levels in own_methods().items()}
    return [
        call for call in calls() if lowest.get(call.name, 0) > ROOMS.index(call.room)
    ]


def own_methods() -> dict[str, set[int]]:
    """The levels of the rooms that define each method which is ours."""
    levels = defaultdict(set)
    overridden = set()
    for method in methods():
        levels[method.node.name].add(ROOMS.index(method.room))
        if is_override(method.node):
            overridden.add(method.node.name)
    return {name: found for name, found in levels.items() if name not in overridden}


def is_override(node: ast.FunctionDef) -> bool:
    """Whether a method calls the one that it overrides, which is then Odoo's."""
    return any(
        isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr == node.name
        and isinstance(each.func.value, ast.Call)
        and getattr(each.func.value.func, "id", "") == "super"
        for each in ast.walk(node)
    )


def methods() -> Iterator[Method]:
    for room, _path, tree in modules():
        for owner in tree.body:
            if isinstance(owner, ast.ClassDef):
                for node in owner.body:
                    if isinstance(node, ast.FunctionDef):
                        yield Method(room, node)


def calls() -> Iterator[Call]:
    for room, path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                place = f"{path.relative_to(MODELS)}:{node.lineno}: {node.attr}"
                yield Call(room, node.attr, place)


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    """The room, path and code of each file."""
    for path in sorted(MODELS.rglob("*.py")):
        room = "" if path.parent == MODELS else path.parent.name
        yield room, path, ast.parse(path.read_text())

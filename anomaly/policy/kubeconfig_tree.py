"""A kubeconfig as a tree: how its lists of named things are read."""

from __future__ import annotations

from anomaly.policy.node import Field, Node


def field_of(node: Node, name: str) -> Field | None:
    """This will return a field of an object by name, or None."""
    return next((field for field in node.fields if field.name == name), None)


def text_of(node: Node, name: str) -> str:
    """This will return the text of a field, "" when it is not there or no string."""
    field = field_of(node, name)
    return field.node.text if field is not None and field.node.kind == "string" else ""


def items(root: Node, section: str) -> list[Node]:
    """This will return the items of one of the lists of the file."""
    field = field_of(root, section)
    return [item for item in field.node.items if item.kind == "object"] if field is not None else []


def named(root: Node, section: str, name: str, holder: str) -> Node | None:
    """This will return what an item of that name holds: `named(root, "users", "bob", "user")`."""
    for item in items(root, section):
        held = field_of(item, holder)
        if name and text_of(item, "name") == name and held is not None and held.node.kind == "object":
            return held.node
    return None

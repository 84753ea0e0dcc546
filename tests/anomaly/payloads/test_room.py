"""Payloads: every one has a schema that can be published, and keys that a program can use as names."""

import ast
import inspect
from importlib import import_module
from pkgutil import iter_modules

import pytest
from pydantic import TypeAdapter
from typing_extensions import is_typeddict

from anomaly import payloads

MODULES = [import_module(f"{payloads.__name__}.{found.name}") for found in iter_modules(payloads.__path__)]
SHAPES = sorted(
    {
        value
        for module in MODULES
        for value in vars(module).values()
        if is_typeddict(value) and value.__module__ == module.__name__
    },
    key=lambda shape: shape.__name__,
)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_payload_has_a_schema_with_a_description_and_names_for_keys(shape):
    schema = TypeAdapter(shape).json_schema(mode="serialization")
    assert schema["type"] == "object" and schema["description"]
    assert all(key.isidentifier() and key == key.lower() for key in schema["properties"])
    assert shape.__name__.endswith("Payload")


def test_no_two_payloads_have_one_name():
    names = [shape.__name__ for shape in SHAPES]
    assert len(names) == len(set(names)) and len(names) > 20


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_payload_reads_no_store_no_clock_and_no_socket(module):
    tree = ast.parse(inspect.getsource(module))
    imported = {
        alias.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not {name.split(".")[0] for name in imported if name} & {"sqlalchemy", "psycopg", "time", "socket"}
    assert "current(" not in inspect.getsource(module) and "read()" not in inspect.getsource(module)

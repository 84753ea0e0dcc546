"""The menu and the pages: what every one of them keeps to."""

import re

from fastapi import APIRouter

from anomaly.web.console.menu import entries, page_modules
from anomaly.web.console.templates import FOLDER


def test_every_page_has_a_router_that_the_description_of_the_api_leaves_out():
    for module in page_modules():
        assert isinstance(module.router, APIRouter)
        assert not module.router.include_in_schema, module.__name__


def test_entries_differ_in_place_key_and_path():
    found = entries()
    assert found[0].path == "/"
    for name in ("path", "title", "key", "order"):
        assert len({getattr(one, name) for one in found}) == len(found), name


def test_an_entry_leads_to_a_route_of_its_page():
    for module in page_modules():
        if hasattr(module, "ENTRY"):
            assert module.ENTRY.path in {route.path for route in module.router.routes}


def test_only_texts_of_the_template_itself_are_taken_for_markup():
    for file in FOLDER.rglob("*.html"):
        found = re.findall(r"(?<!\w)_\((?!\")[^)]*\)?", file.read_text().replace("_('", '_("'))
        assert not found, (file.name, found)


def test_no_template_holds_script_style_or_handlers_of_its_own():
    for file in FOLDER.rglob("*.html"):
        text = file.read_text()
        assert " style=" not in text and "<style" not in text, file.name
        assert " onclick=" not in text and "javascript:" not in text and "hx-on" not in text, file.name
        assert "|safe" not in text.replace(" ", ""), file.name
        assert "<script" not in text.replace("<script defer src=", "").replace(
            '<script type="module" src=', ""
        ), file.name

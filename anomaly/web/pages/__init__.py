"""The console's pages, one file each, found because they are there.

A page is a module with `router = APIRouter()` and, if it stands in the menu, `ENTRY = Entry(...)` (`anomaly.web.console.menu`).
Its routes take `need_page(Right...)` and answer with `page(...)` or `part(...)` (`anomaly.web.console.answer`); its templates lie in
`templates/`, its texts in every language in `locale/LANGUAGE/NAME.po`, what it needs of style and script in `static/`.
"""

"""The explorer's server: one page per address, which is all the state there is, so that a link brings a view back."""

from collections.abc import Callable
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from fairsweep import shipped
from fairsweep.errors import FairsweepError, first_line
from fairsweep.pages import explore, figures, strips
from fairsweep.pages.look import SIZES, Look
from fairsweep.pages.opened import OpenStore
from fairsweep.pages.thumbnails import UNREADABLE

POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_STATIC = {"plots.css": "text/css", "explorer.css": "text/css", "explorer.js": "text/javascript"}
_HEADERS = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
ANSWER_ROWS = 100


def app(root: str) -> Starlette:
    """Return the explorer of a store. Raises StoreError where there is none."""
    opened = OpenStore(root)
    screens = {"shares": _shares, "pictures": _pictures, "picture": _picture, "sql": _sql}
    routes = [Route("/", lambda request: RedirectResponse(f"/shares?{request.url.query}", 303))]
    routes += [Route(f"/{name}", partial(_screen, opened, name, fill)) for name, fill in screens.items()]
    for name, rows in {"shares": _share_rows, "pictures": _picture_rows, "sql": _answer_rows}.items():
        routes.append(Route(f"/{name}.csv", partial(_download, opened, name, rows)))
    routes += [Route(f"/{size}/{{image_id}}", partial(_image, opened)) for size in ("small", "full")]
    routes += [Route(f"/{name}", partial(_static, name)) for name in _STATIC]
    return Starlette(routes=routes)


def _screen(opened: OpenStore, name: str, fill: Callable[[OpenStore, Look], dict], request: Request) -> Response:
    """Return a page: `fill` says what its template shows beside the choices."""
    with opened.lock:
        opened.follow()
        values: dict = {"screen": name, "store": str(opened.store.root)}
        if opened.sweeps:
            look = opened.look(request.query_params)
            offer = opened.offer(look.choice.sweep)
            values |= {"look": look, "sweeps": opened.sweeps, "options": offer.options, "unguided": offer.unguided}
            try:
                values |= fill(opened, look)
            except FairsweepError as error:
                values |= {"failed": first_line(error)}
    template = f"{name}_screen.html.j2" if opened.sweeps else "no_screen.html.j2"
    return HTMLResponse(figures.templates().get_template(template).render(**values), headers=_HEADERS)


def _shares(opened: OpenStore, look: Look) -> dict:
    return {"plots": strips.share_plots(_share_rows(opened, look))}


def _share_rows(opened: OpenStore, look: Look) -> list[dict]:
    return explore.shares(opened.sql, look.choice, look.beside)


def _pictures(opened: OpenStore, look: Look) -> dict:
    opened.gather(look.choice)
    count = explore.count(opened.sql, look.filters)
    look, pages = look.within(count, look.size)
    rows = _picture_rows(opened, look)
    others = explore.beside(opened.sql, look.choice, rows, look.beside)
    training = explore.training(opened.sql, look.choice)
    shown = [row[key] for row in rows for key in ("unguided_id", "image_id")] + [row["image_id"] for row in training]
    opened.thumbnails.want([key for key in shown if key] + [one["image_id"] for row in others.values() for one in row])
    return {
        "look": look,
        "rows": rows,
        "others": others,
        "count": count,
        "pages": pages,
        "matchings": explore.by_matching(training),
        "orders": list(explore.ORDERS),
        "sizes": SIZES,
        "groups": opened.offer(look.choice.sweep).groups.get(look.choice.attribute, []),
    }


def _picture_rows(opened: OpenStore, look: Look) -> list[dict]:
    opened.gather(look.choice)
    return explore.pairs(opened.sql, look.order, (look.page - 1) * look.size, look.size, look.filters)


def _picture(opened: OpenStore, look: Look) -> dict:
    found = explore.picture(opened.sql, look.choice.sweep, look.image or "")
    if found is None:
        raise FairsweepError("the store has no such picture")
    opened.thumbnails.want([row["image_id"] for row in found["siblings"]])
    return {"found": found}


def _sql(opened: OpenStore, look: Look) -> dict:
    values: dict = {"views": explore.views(opened.sql)}
    if look.query.strip():
        try:
            answer = explore.query(opened.sql, look.query)
            look, pages = look.within(answer.num_rows, ANSWER_ROWS)
            shown = answer.slice((look.page - 1) * ANSWER_ROWS, ANSWER_ROWS)
            values |= {"look": look, "pages": pages, "rows": shown.to_pylist(), "columns": answer.column_names}
            values |= {"count": answer.num_rows, "most": explore.ROWS}
        except explore.SqlError as error:
            values |= {"mistake": str(error)}
    return values


def _answer_rows(opened: OpenStore, look: Look) -> list[dict]:
    return explore.query(opened.sql, look.query).to_pylist()


def _download(
    opened: OpenStore, name: str, rows: Callable[[OpenStore, Look], list[dict]], request: Request
) -> Response:
    """Return the rows of a page as a CSV file."""
    with opened.lock:
        if not opened.sweeps:
            return Response(status_code=404)
        look = opened.look(request.query_params)
        try:
            table = explore.as_csv(rows(opened, look))
        except explore.SqlError as error:
            return Response(f"{first_line(error)}\n", 400, media_type="text/plain")
    file = name if name == "sql" else f"{look.choice.sweep}-{look.choice.setting}-{name}"
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in file)
    headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{plain}.csv"'}
    return Response(table, media_type="text/csv; charset=utf-8", headers=headers)


def _image(opened: OpenStore, request: Request) -> Response:
    """Return one picture, small or at its full size; a browser keeps it for an hour."""
    image_id = request.path_params["image_id"]
    if request.url.path.startswith("/small/"):
        picture, kind = opened.thumbnails.get(image_id), "image/webp"
    else:
        try:
            picture, kind = opened.picture(image_id), "image/png"
        except UNREADABLE as error:
            return Response(f"{first_line(error)}\n", 404, media_type="text/plain")
    if picture is None:
        return Response(status_code=404)
    return Response(picture, media_type=kind, headers={**_HEADERS, "Cache-Control": "private, max-age=3600"})


def _static(name: str, request: Request) -> Response:
    folder = "report" if name == "plots.css" else "explorer"
    file = shipped.path("dashboards") / folder / name
    return Response(file.read_bytes(), media_type=_STATIC[name], headers={**_HEADERS, "Cache-Control": "no-cache"})

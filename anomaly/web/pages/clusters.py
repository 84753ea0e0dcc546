"""Clusters: whether the events of each arrive, how complete, and what to do next; one as a whole; and the installation itself."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from anomaly.errors import Refused
from anomaly.rights import Principal, Right
from anomaly.store.clusters import no_cluster
from anomaly.web.access import need_page
from anomaly.web.app import shared_of
from anomaly.web.clock import clock
from anomaly.web.console.answer import page, partial
from anomaly.web.console.language import N_
from anomaly.web.console.menu import Entry, entries
from anomaly.web.console.view import View, view_of
from anomaly.web.console.ward import Bed, Ward, gravest_first, ward_of
from anomaly.web.desk import desk_of

router = APIRouter(include_in_schema=False)
ENTRY = Entry("/clusters", N_("Clusters"), "cluster", "c", 80)
KEYS = (("a", N_("Add a cluster")), ("h", N_("How the installation is")))

Reader = Annotated[Principal, Depends(need_page(Right.READ))]


@router.get("/clusters")
def clusters(request: Request, who: Reader) -> Response:
    """Show every cluster in sight; asked by the page itself, its list alone."""
    view, ward = _looked(request, who, who.clusters)
    template = "clusters_list.html" if partial(request) else "clusters.html"
    return page(template, view, ward=ward, page_keys=KEYS)


@router.get("/clusters/{cluster}")
def cluster(request: Request, who: Reader, cluster: str) -> Response:
    """Show one cluster as the doctor sees it; asked by the page itself, what changes by itself alone."""
    part = partial(request)
    view, bed = one_bed(request, who, cluster, whole=not part)
    template = "cluster_now.html" if part else "cluster.html"
    return page(template, view, bed=bed, linked=rules_with_pages(request))


@router.get("/clusters/{cluster}/light")
def light(request: Request, who: Reader, cluster: str) -> Response:
    """Show whether the first event of a cluster has come, and why it may not have."""
    view, bed = one_bed(request, who, cluster)
    return page("cluster_light.html", view, bed=bed)


@router.get("/doctor")
def doctor(request: Request, who: Reader) -> Response:
    """Show how the installation is, to those who see all of it."""
    if who.clusters is not None:
        raise Refused(
            "How the installation is, is shown to those who see every cluster.",
            hint="Your clusters are on the page Clusters.",
        )
    view, ward = _looked(request, who, None)
    checks = gravest_first(ward.diagnosis.checks)
    return page("doctor.html", view, ward=ward, checks=checks)


def one_bed(request: Request, who: Principal, name: str, *, whole: bool = False) -> tuple[View, Bed]:
    """This will return the view of a page about one cluster, and the cluster, with all that its own page shows when it is asked for
    whole. Raises NotFound."""
    view, ward = _looked(request, who, frozenset({name}), whole=whole)
    for bed in ward.beds:
        if who.may_see(bed.cluster.name):
            return view, bed
    raise no_cluster(name)


def rules_with_pages(request: Request) -> frozenset[str]:
    """This will return the rules whose names can lead to a page of theirs: all in use, once the console has pages of rules."""
    shown = any(one.path == "/rules" for one in entries())
    return frozenset(desk_of(request).needs) if shown else frozenset()


def _looked(
    request: Request, who: Principal, only: frozenset[str] | None, *, whole: bool = False
) -> tuple[View, Ward]:
    with shared_of(request).database.read() as connection:
        view = view_of(request, who, connection)
    return view, ward_of(desk_of(request), clock(), only, look_for_starts=whole)

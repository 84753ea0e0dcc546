"""The pages of models: what is in use and why, and that nothing is put in use before somebody could see what it would change."""

import time
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from sqlalchemy import update

from anomaly.promising import DAY, write
from anomaly.rights import Role
from anomaly.store.clusters import ensure_cluster
from anomaly.store.models import champion_id, list_models, promote_model
from anomaly.store.promises import keep_promise
from anomaly.store.sessions import csrf_of
from anomaly.store.tables import model
from anomaly.web.access import Doorkeeper
from anomaly.web.app import Shared
from anomaly.web.body import Pending
from anomaly.web.server import clock
from tests.anomaly.town import CLUSTER, settings_for
from tests.anomaly.web.asking import app_on, ask
from tests.anomaly.web.pages.test_pages import Person


@pytest.fixture
def townhall(town, commit):
    """The app on the town's database."""
    settings = settings_for(town.database)
    return app_on(
        Shared(
            settings,
            town.database,
            Doorkeeper(town.database, clock, settings.access),
            Pending(1 << 24),
            commit,
        )
    )


@pytest.fixture
def boss(townhall, town):
    return Person(townhall, town.database, "boss", Role.ADMIN)


def models_of(town):
    with town.database.begin() as connection:
        return list_models(connection, town.cluster_id), champion_id(connection, town.cluster_id)


def second(town):
    """Another model of the town that was never in use, beside the one in use."""
    reigning = models_of(town)[1]
    town.train()
    with town.database.begin() as connection:
        promote_model(connection, reigning)
        candidate = update(model).where(model.c.id != reigning)
        connection.execute(candidate.values(state="candidate", promoted_at=None))
    return next(one.id for one in models_of(town)[0] if one.id != reigning), reigning


def compared(person, one, other):
    """Begin a comparison and wait until it has ended: the number of its run and the part that shows it."""
    status, headers = begun(person, f"/models/{one}/comparisons", other=other, days=1)
    assert status == 303
    number = int(headers.partition("run=")[2].partition("#")[0])
    for _ in range(600):
        status, body = person.get(f"/models/{one}/comparisons/{number}")
        assert status == 200
        if "hx-get" not in body:
            return number, body
        time.sleep(0.1)
    raise AssertionError("it did not end")


def begun(person, path, **fields):
    """Send a form as one without scripts: (status, where it leads)."""
    status, headers, _ = ask(
        person.app,
        "POST",
        path,
        body=urlencode(fields).encode(),
        cookie=f"anomaly={person.secret}",
        content_type="application/x-www-form-urlencoded",
        x_csrf_token=csrf_of(person.secret),
    )
    return status, headers.get(b"location", b"").decode()


def test_without_clusters_and_without_models_the_page_says_what_to_do(app, database):
    erika = Person(app, database, "erika")
    assert "No cluster yet" in erika.get("/models")[1]
    with database.begin() as connection:
        ensure_cluster(connection, "shop")
    assert "anomaly train --cluster shop" in erika.get("/models")[1]


def test_the_model_in_use_stands_with_its_reason_and_its_promise(boss, town):
    kept, reigning = models_of(town)
    status, body = boss.get("/models")
    assert status == 200
    assert f'href="/models/{reigning}"' in body
    assert kept[0].card["decision"]["reason"] in body
    assert "The first day is told in the night" in body

    made = write(town.database, town.judge(), town.now.replace(hour=0, minute=0))
    with town.database.begin() as connection:
        keep_promise(connection, replace(made, day=made.day - DAY, holds=False, reason="Too many of them."))
    body = boss.get("/models")[1]
    assert "promise kept on 1 of 2 days" in body
    assert made.reason in body
    assert 'class="col-band"' in body
    assert "not kept" in boss.get(f"/models/{reigning}")[1]


def test_a_model_is_put_in_use_only_after_its_comparison_with_the_one_in_use(boss, townhall, town):
    other, reigning = second(town)
    status, body = boss.get(f"/models/{other}")
    assert status == 200
    assert f'action="/models/{other}/promote"' not in body
    assert begun(boss, f"/models/{other}/promote")[0] == 422
    assert models_of(town)[1] == reigning

    number, body = compared(boss, other, reigning)
    assert f'action="/models/{other}/promote"' in body
    assert f'name="run" value="{number}"' in body
    ben = Person(townhall, town.database, "ben", Role.ANALYST)
    assert f'action="/models/{other}/promote"' not in ben.get(f"/models/{other}?run={number}")[1]
    assert begun(ben, f"/models/{other}/promote", run=number)[0] == 403

    assert begun(boss, f"/models/{other}/promote", run=number) == (303, f"/models/{other}")
    assert models_of(town)[1] == other
    # The comparison was with a model that is no longer in use: it opens nothing.
    assert begun(boss, f"/models/{reigning}/promote", run=number)[0] == 404
    again, body = compared(boss, reigning, other)
    assert f"Go back to model {reigning}" in body
    assert begun(boss, f"/models/{reigning}/promote", run=again)[0] == 303
    kept, now = models_of(town)
    assert now == reigning
    assert {one.id: one.state for one in kept}[other] == "withdrawn"


def test_models_of_clusters_out_of_sight_are_as_those_there_are_not(townhall, town):
    other, reigning = second(town)
    bert = Person(townhall, town.database, "bert", Role.ADMIN, clusters=["elsewhere"])
    assert bert.get(f"/models/{other}")[0] == bert.get("/models/4711")[0] == 404
    assert begun(bert, f"/models/{other}/comparisons", other=reigning)[0] == 404
    assert begun(bert, f"/models/{other}/promote")[0] == 404
    status, body = bert.get("/models")
    assert status == 200
    assert f'aria-label="Models of {CLUSTER}"' not in body
    assert f'href="/models/{reigning}"' not in body


def test_a_comparison_needs_another_model_of_the_same_cluster(boss, town):
    _, reigning = models_of(town)
    assert begun(boss, f"/models/{reigning}/comparisons", other=reigning)[0] == 404
    assert begun(boss, f"/models/{reigning}/comparisons", other=4711)[0] == 404

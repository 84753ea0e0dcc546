"""Credentials: how many, whether a known one turns up at a new place, and whose hands a token came from."""

from __future__ import annotations

import numpy as np

from anomaly.events.identity import EntityKind
from anomaly.features.circles import Topic
from anomaly.features.history import Past
from anomaly.features.masks import Column
from anomaly.windows.dimension import Dimension
from anomaly.windows.peers import KINDS
from anomaly.windows.window import Windows

_HANDS = (KINDS.index(EntityKind.HUMAN), KINDS.index(EntityKind.ANONYMOUS))


def different(windows: Windows) -> Column:
    """This will return the different credentials (token ids, certificate hashes) used.

    Unit: credentials.
    """
    return windows.distinct(Dimension.CREDENTIAL)


def tokens_issued(windows: Windows) -> Column:
    """This will return the different tokens issued to the entity by TokenRequest.

    Unit: tokens.
    """
    return windows.distinct(Dimension.ISSUED)


def moved(windows: Windows, past: Past) -> Column:
    """This will return new addresses and tools of a known entity that brought no new credential with them.

    A fresh login from a new place comes with a fresh credential; a stolen one is the old.

    Unit: spans without.
    """
    fresh = past.fresh
    arrivals = past.news(None, Topic.ADDRESSES, Topic.TOOLS)
    new_credentials = fresh.total(windows.n, np.ones(len(fresh.row)), Topic.CREDENTIALS)
    return np.where(new_credentials > 0, 0.0, arrivals)


def arrived(windows: Windows, past: Past) -> Column:
    """This will return new addresses and tools of a known entity that came together with a new credential.

    Somebody minted or found another credential of the same identity and uses it elsewhere.

    Unit: spans without.
    """
    fresh = past.fresh
    arrivals = past.news(None, Topic.ADDRESSES, Topic.TOOLS)
    new_credentials = fresh.total(windows.n, np.ones(len(fresh.row)), Topic.CREDENTIALS)
    return np.where(new_credentials > 0, arrivals, 0.0)


def from_a_person(windows: Windows, past: Past) -> Column:
    """This will return the credentials in use that a person, and no kubelet or controller, had issued.

    A service account's token is minted by its node; one minted by a person is carried by a person.

    Unit: credentials.
    """
    row, term, _ = windows.rows(Dimension.CREDENTIAL)
    if not len(row):
        return np.zeros(windows.n)
    issuer = past.issuers.owner_of(np.zeros(len(term), dtype=np.int64), term)
    if (issuer < 0).all():
        return np.zeros(windows.n)
    person = np.isin(past.history.peers.kind_of(issuer), _HANDS) & (issuer >= 0)
    foreign = issuer != windows.entity[row]
    carried = (person & foreign).astype(np.float64)
    return np.bincount(row, weights=carried, minlength=windows.n).astype(np.float64)

"""A made-up office: people, service accounts and nodes with habits of their own, and windows of them."""

from dataclasses import replace

import numpy as np

from models import Layout
from training import RECIPES, Matrix

HOUR_US = 3_600_000_000
START_US = 1_700_000_000_000_000
KINDS = ("human", "serviceaccount", "node")


def layout(width=24):
    families = [f"family{place // 5}" for place in range(width - 4)] + ["novelty"] * 2 + ["rarity"] * 2
    return Layout.of([f"feature{place}" for place in range(width)], families=families)


def office(entities=30, windows=100, width=24, seed=0, kinds=KINDS, step_us=HOUR_US):
    """Each peer group does a third of the features; each entity has its own level of each; days differ in activity."""
    random = np.random.default_rng(seed)
    kind = random.integers(len(kinds), size=entities)
    group = kind * 10 + random.integers(3, size=entities)
    does = random.random((10 * len(kinds), width)) < 0.35
    usual = random.normal(1.0, 1.0, size=(10 * len(kinds), width))
    level = np.where(does[group], np.exp(usual[group] + random.normal(0, 0.5, (entities, width))), 0.01)
    level[:, -4:] = 0.05
    who = np.repeat(np.arange(entities), windows)
    active = np.exp(random.normal(0, 0.4, size=len(who)))
    values = random.poisson(np.minimum(level[who] * active[:, None], 1e6))
    at = START_US + np.tile(np.arange(windows) * step_us, entities)
    order = random.permutation(len(who))
    named = np.array(kinds)[kind]
    return Matrix.of(
        layout(width), values[order], 1000 + who[order], named[who][order], group[who][order], at[order]
    )


def quick(**changes):
    """The nightly recipe with fewer trees, for tests that do not look at quality."""
    return replace(RECIPES["nightly"], **{"trees": 25, "planted": 60, "jobs": 1, **changes})

"""Secrets: who reads how many, where, and whether all at once. Most stolen clusters were stolen through a secret."""

from __future__ import annotations

import numpy as np

from anomaly.features.actions import ActionClass, class_of
from anomaly.features.masks import Column, count, distinct, mask, tenths
from anomaly.windows.dimension import Dimension
from anomaly.windows.window import Windows


def _whole_list(secret: str) -> bool:
    return secret.endswith("/*")


def _single(secret: str) -> bool:
    return not secret.endswith("/*")


def _writes(action: str) -> bool:
    return class_of(action) is ActionClass.SECRET_WRITE


def _reads(action: str) -> bool:
    return class_of(action) is ActionClass.SECRET_READ


def _places(target: str) -> bool:
    return target.startswith("secrets @")


def reads(windows: Windows) -> Column:
    """This will return the reads of secrets that were let through, lists included.

    Unit: requests.
    """
    return windows.count(Dimension.SECRET)


def different(windows: Windows) -> Column:
    """This will return the different secrets read by name. An application reads its own one or two.

    Unit: secrets.
    """
    return distinct(windows, Dimension.SECRET, _single)


def lists(windows: Windows) -> Column:
    """This will return the lists and watches of secrets let through; each shows every value it covers.

    Unit: requests.
    """
    return count(windows, Dimension.SECRET, _whole_list)


def places(windows: Windows) -> Column:
    """This will return the different namespaces in which secrets were asked for, whether given or refused.

    Unit: namespaces.
    """
    return distinct(windows, Dimension.TARGET, _places)


def refused(windows: Windows) -> Column:
    """This will return the refused reads of secrets. Nobody's work is to be refused secrets.

    Unit: requests.
    """
    return count(windows, Dimension.DENIED, _reads)


def writes(windows: Windows) -> Column:
    """This will return secrets created or changed. A changed secret is a door with a new key.

    Unit: requests.
    """
    return count(windows, Dimension.ACTION, _writes)


def once_each(windows: Windows) -> Column:
    """This will return how many of ten secrets were read exactly once, where there were at least three.

    Whoever needs a secret reads it again and again; whoever collects them reads each once.

    Unit: tenths.
    """
    row, _, times = windows.rows(Dimension.SECRET, mask(windows, Dimension.SECRET, _single))
    once = np.bincount(row, weights=(times == 1).astype(np.float64), minlength=windows.n).astype(np.float64)
    all_of_them = np.bincount(row, minlength=windows.n).astype(np.float64)
    return np.where(all_of_them >= 3, tenths(once, all_of_them), 0.0)

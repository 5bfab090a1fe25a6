"""What kopf does with each object that it sees, beside telling an informer of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import kopf
from kopf._core.intents.causes import Activity

from penstock.controller.app.assembly import Operator
from penstock.controller.app.handlers import register


class Large:
    """A spec that takes long to copy."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise AssertionError("it was copied")


def settings() -> kopf.OperatorSettings:
    """kopf's settings, as our handlers make them."""
    registry, found = kopf.OperatorRegistry(), kopf.OperatorSettings()
    register(registry, cast(Operator, SimpleNamespace(informers=())))
    (start,) = registry._activities.get_handlers(activity=Activity.STARTUP)
    cast(Any, start.fn)(settings=found)
    return found


def test_an_object_is_not_copied_to_see_what_has_changed_in_it() -> None:
    # given
    kept = settings().persistence
    body = kopf.Body(cast(Any, {"metadata": {"name": "a"}, "spec": Large()}))
    # when
    older = kept.diffbase_storage.fetch(body=body)
    essence = kept.diffbase_storage.build(body=body, extra_fields=())
    # then
    assert older is None
    assert kept.progress_storage.clear(essence=essence) == {}

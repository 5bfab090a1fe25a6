"""PurgeKV: let keys be gone."""

from __future__ import annotations

from typing import Literal

from penstock.engine.interface.actions import Command
from penstock.engine.interface.command_task import CommandTask
from penstock.engine.interface.executable import holds
from penstock.engine.interface.flowable import Evaluator, FlowableError
from penstock.engine.interface.selecting import PurgePairs
from penstock.engine.kinds.commands.rendering import text_of, texts_of
from penstock.flow.model import Document, RenderedBool


class PurgeBehavior(Document):
    """Which keys a purge means."""

    type: Literal["key", "version"] = "key"
    """`key`; with `version` nothing is purged, as keys have no older versions."""
    expired_only: RenderedBool = True
    """Whether only keys go whose time is over. They go by themselves, so none is left to purge."""
    before: str | None = None
    """A property of `version`, which has no effect."""
    keep_amount: int | str | None = None
    """A property of `version`, which has no effect."""


class PurgeKV(CommandTask):
    """Deletes keys of namespaces, of the same Kubernetes namespace.

    Keys whose time is over are deleted by themselves: without `expiredOnly: false` there is nothing
    to do.

    Outputs: `size`, the number of deleted keys.

    ```yaml
    id: purge
    type: io.kestra.plugin.core.kv.PurgeKV
    namespaces: [company.team]
    keyPattern: "tmp_*"
    behavior:
      type: key
      expiredOnly: false
    ```
    """

    namespaces: list[str] | str | None = None
    """The namespaces; all where neither this nor `namespacePattern` is given. Rendered."""
    namespace_pattern: str | None = None
    """A pattern of namespaces, such as `company.*`, in place of `namespaces`. Rendered."""
    key_pattern: str | None = None
    """The pattern of the keys that go, such as `tmp_*`. Rendered."""
    include_child_namespaces: RenderedBool = True
    """Whether `namespaces` means those below them as well."""
    behavior: PurgeBehavior = PurgeBehavior()
    """Which keys are meant."""
    expired_only: RenderedBool | None = None
    """Deprecated: use `behavior.expiredOnly`."""

    def command(self, evaluator: Evaluator) -> Command:
        namespaces = tuple(texts_of(evaluator, "namespaces", self.namespaces))
        pattern = text_of(evaluator, self.namespace_pattern)
        if namespaces and pattern is not None:
            raise FlowableError("`namespaces` and `namespacePattern` can't be given together")
        only = self.behavior.expired_only if self.expired_only is None else self.expired_only
        of_versions = self.expired_only is None and self.behavior.type == "version"
        return PurgePairs(
            namespaces=namespaces,
            below=holds(self.include_child_namespaces, evaluator),
            namespace_pattern=pattern,
            key_pattern=text_of(evaluator, self.key_pattern),
            expired_only=of_versions or holds(only, evaluator),
        )

"""What functions of expressions read on a cluster: files of the storage, and servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from penstock.controller.executions.expression_calls import Interruption
from penstock.controller.executions.expression_functions import Readers
from penstock.controller.executions.expression_http import HttpFunction, HttpRules
from penstock.controller.files.access import FileAccess
from penstock.kubernetes.api.client import Object
from penstock.storage.execution import ExecutionFiles
from penstock.storage.files import Storage
from penstock.storage.functions import FileFunctions
from penstock.storage.uris import ExecutionPlace


class ExpressionReads:
    """Reads for one execution at a time, no further than that may see."""

    def __init__(
        self,
        storage: Callable[[str], Storage],
        access: FileAccess,
        http: HttpRules | None = None,
    ) -> None:
        """``storage`` gives the storage of a tenant; ``http`` says which servers may be asked, as
        by default where it is None."""
        self._storage = storage
        self._access = access
        self._http = http or HttpRules()

    def readers(
        self, execution: Object, place: ExecutionPlace, interruption: Interruption
    ) -> Readers:
        """Give what one call of an execution's expressions reads with. The expressions are
        its flow's author's, and open the files of every namespace, as a task does whose property
        names one."""
        files = replace(self.files(execution, place), any_namespace=True)
        return {**FileFunctions(files).by_name(), "http": HttpFunction(self._http, interruption)}

    def files(self, execution: Object, place: ExecutionPlace) -> ExecutionFiles:
        """Give the files that it may use. Raises ``StorageUnavailable``."""
        storage = self._storage(execution["metadata"]["namespace"])
        refused = partial(self._access.why_not_handed, execution)
        return ExecutionFiles(storage, place, self._access.parents(execution), refused=refused)

"""The one error that leaves this package, with the place it came from."""

from __future__ import annotations

_SHOWN = 200


class ExpressionError(Exception):
    """An expression that cannot be read or rendered; the text is meant for the flow's author.

    ``line`` counts from 1 inside the template; ``expression`` is the whole template. Both may be
    filled in later, by the caller that knows them, so the text is composed when it is read.
    """

    def __init__(
        self, message: str, *, line: int | None = None, expression: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.expression = expression

    def locate(self, line: int | None = None, expression: str | None = None) -> ExpressionError:
        """Fill in what is not known yet: the innermost place is the useful one."""
        if self.line is None:
            self.line = line
        if self.expression is None:
            self.expression = expression
        return self

    def _place(self) -> str:
        if self.expression is None:
            return "" if self.line is None else f" at line {self.line}"
        at = "" if self.line is None else f" at line {self.line}"
        return f" in the expression `{shorten(self.expression)}`{at}"

    def __str__(self) -> str:
        return f"{self.message}{self._place()}"


class UnknownNameError(ExpressionError):
    """A filter, function, test or method that does not exist. The rest of the text was read."""


class UndefinedError(ExpressionError):
    """A variable, key or index that is not there: what ``??`` and ``default`` replace."""

    def __init__(self, name: str, line: int | None = None) -> None:
        super().__init__(f"Unable to find `{shorten(name)}`", line=line)
        self.name = name

    def __str__(self) -> str:
        place = self._place()
        return f"{self.message} used{place}" if self.expression is not None else super().__str__()


class NoMethodError(UndefinedError):
    """A value has no method of this name, though others have: missing, as a key would be."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name)
        self.message = message

    def __str__(self) -> str:
        return ExpressionError.__str__(self)


class LimitError(ExpressionError):
    """A template passes a bound. It is about the template, not a value: ``??`` never replaces
    it."""


def shorten(text: str, length: int = _SHOWN) -> str:
    """A text short enough for a message."""
    return text if len(text) <= length else f"{text[: length - 1]}…"

"""Functions that render text which a variable holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from penstock.expressions.errors import ExpressionError, LimitError
from penstock.expressions.registry import register_function
from penstock.expressions.rendering import Rendering
from penstock.expressions.values import is_list, is_map, need_text


@register_function("render")
def render(run: Rendering, toRender: Any, recursive: Any = True) -> Any:
    """Render text, or every text in a map or list, until nothing changes any more. What a variable
    holds is never rendered by itself.

    {{ vars.greeting }} → Hello {{ inputs.name }}
    {{ render(vars.greeting) }} → Hello Ada
    """
    once = recursive is False
    return _tree(run, toRender, run.render_text if once else _until_stable, 0)


@register_function("renderOnce")
def render_once(run: Rendering, toRender: Any) -> Any:
    """Render text in one pass: what the variables hold is not rendered in turn.

    {{ renderOnce(vars.greeting) }} → Hello Ada
    """
    return _tree(run, toRender, run.render_text, 0)


@register_function("block")
def block(run: Rendering, name: Any) -> str:
    """The text of a block of this template.

    {% block line %}--{% endblock %}title{{ block('line') }} → --title--
    """
    number = run.program.blocks.get(need_text(name, "name"))
    if number is None:
        raise ExpressionError(f"there is no block `{str(name)[:50]}`")
    return run.fragment(number)


@register_function("parent", "i18n")
def not_here(run: Rendering, *args: Any) -> str:
    """Refuse Pebble's functions for inherited and translated templates, which Kestra does not have.

    {{ parent() }} → error: is not available
    """
    raise ExpressionError("is not available: templates are not inherited or translated here")


def _until_stable(text: str, run: Rendering) -> str:
    for _ in range(run.budget.limits.passes):
        result = run.render_text(text, run)
        if result == text:
            return result
        text = result
    raise LimitError("Too many rendering attempts")


def _tree(
    run: Rendering, value: Any, render_one: Callable[[str, Rendering], str], depth: int
) -> Any:
    if depth > run.budget.limits.depth:
        raise LimitError("a value is nested too deeply to render")
    if isinstance(value, str):
        return render_one(value, run)
    run.budget.check_time()
    if is_map(value):
        run.budget.items(len(value))
        return {
            _tree(run, key, render_one, depth + 1): _tree(run, item, render_one, depth + 1)
            for key, item in value.items()
        }
    if is_list(value):
        run.budget.items(len(value))
        return [_tree(run, item, render_one, depth + 1) for item in value]
    return value

"""The descriptions of the syntax and of the functions that a host gives, which have no docstring.

A test compares the names with those that the grammar knows, and runs every example.
"""

from __future__ import annotations

OPERATORS: dict[str, str] = {
    "not": """The opposite.

    {{ not true }} → false
    """,
    "..": """Numbers or single letters from the one to the other, both included.

    {{ 1..4 }} → [1,2,3,4]
    """,
    "??": """The right side where the left is null or missing, at any depth.

    {{ inputs.missing.too ?? 'none' }} → none
    """,
    "???": """The right side where the left is missing; null stays null.

    {{ inputs.missing ??? 'none' }} → none
    {{ null ??? 'none' }} →
    """,
    "isIn": """Whether a list has the value, or a map has it as a key or value; compared as text.

    {{ 'dev' isIn ['dev', 'prod'] }} → true
    """,
    "isNotIn": """The opposite of `isIn`.

    {{ 'dev' isNotIn ['dev', 'prod'] }} → false
    """,
    "~": """Both sides as text, one after the other; null is nothing.

    {{ 'a' ~ 1 ~ null }} → a1
    """,
    "|": """Applies a filter.

    {{ inputs.name | upper }} → ADA
    """,
    "*": """Times.

    {{ 3 * 2.5 }} → 7.5
    """,
    "/": """Divided by; of two integers the integer part.

    {{ 7 / 2 }} → 3
    {{ 7 / 2.0 }} → 3.5
    """,
    "%": """The rest of a division.

    {{ 7 % 3 }} → 1
    """,
    "+": """Plus; text put together where either side is text; lists put together. Before a value:
    the sign.

    {{ 1 + 2 }} → 3
    {{ 'a' + 1 }} → a1
    {{ [1] + [2, 3] }} → [1,2,3]
    """,
    "-": """Minus; a list without an item or without the items of another list. Before a value:
    the sign.

    {{ 5 - 7 }} → -2
    {{ [1, 2, 3] - [2] }} → [1,3]
    """,
    "==": """Whether both are the same: numbers by value, all else by type and value.

    {{ 1 == 1.0 }} → true
    {{ '1' == 1 }} → false
    """,
    "equals": """Another name of `==`.

    {{ inputs.name equals 'Ada' }} → true
    """,
    "!=": """The opposite of `==`.

    {{ inputs.name != 'Ada' }} → false
    """,
    ">": """Greater than. Both sides are numbers; null is greater than nothing.

    {{ 2 > 1 }} → true
    """,
    "<": """Less than.

    {{ 2 < 1 }} → false
    """,
    ">=": """Greater than or equal to.

    {{ 2 >= 2 }} → true
    """,
    "<=": """Less than or equal to.

    {{ 2 <= 1 }} → false
    """,
    "is": """Applies a test.

    {{ inputs.name is empty }} → false
    """,
    "is not": """The opposite of a test.

    {{ inputs.name is not empty }} → true
    """,
    "contains": """Text in text, an element in a list (all of them, for a list), a key in a map.

    {{ 'abc' contains 'b' }} → true
    {{ inputs.numbers contains [1, 2] }} → true
    {{ inputs contains 'name' }} → true
    """,
    "and": """Both. A number counts as true unless it is 0, text unless it is empty.

    {{ true and inputs.name }} → true
    """,
    "or": """At least one.

    {{ false or '' }} → false
    """,
    "? :": """The first value where the condition holds, else the second.

    {{ inputs.name == 'Ada' ? 'hello' : 'who?' }} → hello
    """,
}
"""The operators as they are written, those that bind tightest first."""

TAGS: dict[str, str] = {
    "if": """What is inside, where the condition holds; with `elseif` and `else`.

    {% if inputs.name == 'Ada' %}yes{% elseif inputs.name is empty %}?{% else %}no{% endif %} → yes
    """,
    "for": """What is inside, for each item of a list or entry of a map; `else` where there is none.
    `loop` knows `index` (from 0), `first`, `last`, `length` and `revindex`.

    {% for n in inputs.numbers %}{{ loop.index }}:{{ n }} {% else %}none{% endfor %} → 0:3 1:1 2:2
    {% for entry in {'a': 1, 'b': 2} %}{{ entry.key }}={{ entry.value }};{% endfor %} → a=1;b=2;
    """,
    "set": """A variable of this template.

    {% set greeting = 'Hello ' ~ inputs.name %}{{ greeting }}! → Hello Ada!
    """,
    "macro": """A function of this template, with defaults.

    {% macro t(name, mark='#') %}{{ mark }}{{ name }}{% endmacro %}{{ t('a') }}{{ t('b', '+') }}
    → #a+b
    """,
    "block": """A part that `block()` can repeat.

    {% block line %}--{% endblock %}title{{ block('line') }} → --title--
    """,
    "filter": """Filters over all that is inside.

    {% filter upper | trim %} hello {{ inputs.name }} {% endfilter %} → HELLO ADA
    """,
    "raw": """What is inside stays as it is.

    {% raw %}{{ inputs.name }}{% endraw %} → {{ inputs.name }}
    """,
    "verbatim": """Pebble's own name of `raw`; in a text that is rendered once more, it is rendered.

    {% verbatim %}{{ inputs.name }}{% endverbatim %} → {{ inputs.name }}
    """,
}

HOST_FUNCTIONS: dict[str, str] = {
    "secret": """The secret of that name; it fails where there is none. Arguments: `key`,
    `namespace`, `subkey`.

    {{ secret('API_TOKEN') }} → s3cret
    """,
    "kv": """The value of a key; where there is none it fails, or gives null if `errorOnMissing` is
    false. Arguments: `key`, `namespace` (the flow's), `errorOnMissing` (true).

    {{ kv('limit') }} → 10
    {{ kv('missing', errorOnMissing=false) ?? 'none' }} → none
    """,
    "read": """The text of a file, by its address. Arguments: `path`, `version`.

    {{ read(outputs.extract.uri) }} → id,name⏎1,Ada
    """,
    "fileURI": """The address of a namespace file.

    {{ fileURI('queries/report.sql') }} → kestra:///company/team/_files/queries/report.sql
    """,
    "fileSize": """The size of a file in bytes.

    {{ fileSize(outputs.extract.uri) }} → 13
    """,
    "fileExists": """Whether there is such a file.

    {{ fileExists(outputs.extract.uri) }} → true
    """,
    "isFileEmpty": """Whether a file has no content.

    {{ isFileEmpty(outputs.extract.uri) }} → false
    """,
    "fileEmpty": """Another name of `isFileEmpty`.

    {{ fileEmpty(outputs.extract.uri) }} → false
    """,
    "http": """What an HTTP request gives; JSON as its value. Arguments: `uri`, `method`, `headers`,
    `contentType`, `body`.

    {{ http(uri='https://example.com/cities.json') }} → ["Oslo","Lima"]
    """,
    "errorLogs": """The last lines that were logged as errors in this execution.

    {{ errorLogs() }} → [{"taskId":"load","message":"no such table"}]
    """,
    "credential": """The token of a credential.

    {{ credential('warehouse') }} → token
    """,
    "appLink": """The address of an app.

    {{ appLink('approval') }} → https://example.com/approval
    """,
    "assets": """The assets of a type.

    {{ assets('table') }} → []
    """,
    "iterationOutput": """The output of a task in the present iteration of a loop, or in another.
    Arguments: `task`, the number of the iteration.

    {{ iterationOutput('measure') }} → 4
    """,
    "parentOutput": """The output of the loop around this one.

    {{ parentOutput() }} → 4
    """,
}
"""The host functions by name. Their arguments are handed to the host as they are written."""

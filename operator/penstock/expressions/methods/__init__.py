"""The methods of Java's classes that an expression may call: ``inputs.name.toUpperCase()``.

Pebble calls any public method of a value. Here those are served that give something and change
nothing, each by a row of a table: ``texts``, ``collections_``, ``numbers`` and ``dates``. No Python
attribute is ever asked for; a name that no table has is refused when the template is compiled.

Which method a name means is Pebble's rule (``MemberCacheUtils`` of 3.2.2): without regard to upper
and lower case, ``getX``, ``isX`` and ``hasX`` before ``X``. With parentheses a method is meant,
also where a map has a key of that name; without, the key of a map and nothing else, or the method
without arguments of any other value (``list.size``, ``date.year``).
"""

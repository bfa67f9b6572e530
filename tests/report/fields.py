"""Every text of a record, found by its type, with another in its place."""

import html.parser
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import inspect

HOSTILE = (
    "<script>window.hurt = 1</script>\"><img src='http://evil.example/a.png' onerror='hurt()'> "
    "'><svg/onload=alert(1)> </title></style></td></table><h1>x</h1> &lt;b&gt; <!-- --> "
    "](javascript:alert(1)) [click](http://evil.example/) ![i](../../etc/passwd) <http://a.b> "
    "[r]: http://evil.example/ `code` ``` ~~~ **b** _i_ ~~s~~ | cell | \\| www.evil.example "
    "{{ 7 * 7 }} {% raw %} {# x #} %s %(x)s {0} {x} $\\x^{$ \\n \x00\x07\x1b[31m\x1b]8;;http://a.b\x07"
    "\r\n# heading\n- item\n\u202e\u2066rtl\u200b\ud83d ../../etc/passwd "
).replace("\ud83d", "\ufffd")
"""What would be markup, a link, a path, a format or a steering character somewhere."""


class Elements(html.parser.HTMLParser):
    """The elements of a page in their order, each with the names of its attributes."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, *(name for name, _ in attrs)))


Change = Callable[[str, str], str]
"""Of a text and the place it stands at, like ``entrants[].title``."""


def changed(record: Any, change: Change) -> Any:
    """A record with every text of it changed, as it is read back from its file.

    Raises:
      msgspec.ValidationError: if it is refused.
    """
    kind = type(record)
    content = _changed(msgspec.json.decode(msgspec.json.encode(record)), _type(kind), change, "")
    return msgspec.json.decode(msgspec.json.encode(content), type=kind)


def places(record: Any) -> list[str]:
    """Where it has texts, each place once."""
    found: dict[str, None] = {}

    def seen(text: str, place: str) -> str:
        found[place] = None
        return text

    changed(record, seen)
    return list(found)


def _type(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _changed(value: Any, kind: inspect.Type, change: Change, place: str) -> Any:
    """Without those that are one of a few given words."""
    kind = _member(value, kind)
    if isinstance(value, str):
        return (
            change(value, place) if isinstance(kind, inspect.StrType | inspect.AnyType) else value
        )
    if isinstance(value, dict):
        return dict(_items(value, kind, change, place))
    if isinstance(value, list) and any(isinstance(one, str | list | dict) for one in value):
        kinds = _kinds(kind, len(value))
        return [_changed(*pair, change, f"{place}[]") for pair in zip(value, kinds, strict=True)]
    return value


def _items(value: dict, kind: inspect.Type, change: Change, place: str) -> Iterator[tuple]:
    if isinstance(kind, inspect.StructType | inspect.DataclassType):
        kinds = {field.encode_name: field.type for field in kind.fields}
        for name, one in value.items():
            yield name, _changed(one, kinds[name], change, f"{place}.{name}".lstrip("."))
        return
    key_type, value_type = inspect.AnyType(), inspect.AnyType()
    if isinstance(kind, inspect.DictType):
        key_type, value_type = kind.key_type, kind.value_type
    for name, one in value.items():
        key = change(name, f"{place} (key)") if isinstance(key_type, inspect.StrType) else name
        yield key, _changed(one, value_type, change, f"{place}{{}}")


def _member(value: Any, kind: inspect.Type) -> inspect.Type:
    """Of a union, the type that a value is of."""
    if not isinstance(kind, inspect.UnionType):
        return kind
    mapped = inspect.StructType, inspect.DataclassType, inspect.DictType
    of = {str: inspect.StrType, dict: mapped}.get(type(value), object)
    return next((one for one in kind.types if isinstance(one, of)), inspect.NoneType())


def _kinds(kind: inspect.Type, length: int) -> list[inspect.Type]:
    if isinstance(kind, inspect.TupleType):
        return list(kind.item_types)
    if isinstance(kind, inspect.NamedTupleType):
        return [field.type for field in kind.fields]
    item = getattr(kind, "item_type", inspect.AnyType())
    return [item] * length

"""The YAML files of the repository as facts: lines such as "securityContext.privileged=true".

The facts of a document are sorted, so that one pattern can look for two of them.
"""

import os.path
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import yaml

from vitals.ops.check.security.gather import files_of_the_repository
from vitals.ops.run import shell
from vitals.ops.run.steps import Refused

FILE = re.compile(r"(?!vitals/).*\.ya?ml|deploy/(?!grafana/).*\.json").fullmatch
VARIABLE = re.compile(r"\$\{\w+(?::?-([^}]*))?\}")
BASES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
Documents = list[tuple[str, dict[str, Any]]]


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads what has a tag that it does not know, such as !reset, as if it had none."""


def _untagged(loader: Any, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return tuple(loader.construct_sequence(node, deep=True))  # laid over, it is not joined
    return loader.construct_scalar(node) or None


Loader.add_multi_constructor("", _untagged)
parse = partial(yaml.load_all, Loader=Loader)


def documents() -> Documents:
    """The documents of all files. Raises Refused for a file that can't be read."""
    found = Documents()
    for file in filter(FILE, files_of_the_repository()):
        if (path := shell.ROOT / file).exists():
            try:
                each = [*parse(path.read_text(encoding="utf-8"))]
                each += [patch for one in each for patch in _patches(one)]
            except (OSError, ValueError, yaml.YAMLError) as error:
                why = " ".join(str(error).split())
                raise Refused(f"{file}: {why}", "YAML in UTF-8", "repair it") from error
            found += [(file, one if isinstance(one, dict) else {"": one}) for one in each]
    return found


def _patches(document: Any) -> Iterator[Any]:
    """The patches in a document of kustomize: manifests, and operations of RFC 6902."""
    if isinstance(document, list):
        for each in document:
            if isinstance(each, dict) and "op" in each:
                value = each.get("value", "removed")
                for key in reversed(str(each.get("path")).strip("/").split("/")):
                    value = [value] if key.isdigit() or key == "-" else {key: value}
                yield value
    elif isinstance(document, dict):
        for each in document.get("patches") or ():
            for patch in parse(each.get("patch", "") if isinstance(each, dict) else ""):
                yield from (patch, *_patches(patch))


def facts(node: Any, at: str = "") -> Iterator[str]:
    """Each value in a document after its path; a variable is replaced by its default."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from facts(value, f"{at}.{key}" if at else str(key))
    elif isinstance(node, list | tuple) and node:
        for value in node:
            yield from facts(value, at)
    else:
        text = str(node).lower() if isinstance(node, bool) else str(node)
        yield f"{at}={VARIABLE.sub(_default, text)}"


def _default(variable: re.Match[str]) -> str:
    return variable[0] if variable[1] is None else variable[1]


def mappings(node: Any) -> Iterator[dict[str, Any]]:
    """All mappings in a document."""
    if isinstance(node, dict):
        yield node
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for each in inside:
        yield from mappings(each)


def service(file: str, name: str, composed: dict[str, Any]) -> Any:
    """A service of a Compose file, with what it extends, laid over that of the folder's base."""
    own = (composed.get(file) or {}).get("services", {}).get(name) or {}
    base = next((b for b in (_beside(file, x) for x in BASES) if b in composed), file)
    under = {} if base == file else service(base, name, composed)
    if extends := own.get("extends"):
        extends = extends if isinstance(extends, dict) else {"service": extends}
        other = _beside(file, extends["file"]) if "file" in extends else file
        under = _laid(under, service(other, extends["service"], composed))
    return _laid(under, own)


def _laid(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        both = {key: _laid(base[key], over[key]) for key in base.keys() & over.keys()}
        return {**base, **over, **both}
    return [*base, *over] if isinstance(base, list) and isinstance(over, list) else over


def _beside(file: str, other: str) -> str:
    return os.path.normpath(os.path.join(os.path.dirname(file), other))  # noqa: PTH118, PTH120

"""The YAML files of the repository as facts: lines such as "securityContext.privileged=true".

The facts of a document are sorted, so that one pattern can ask for two of them. A mapping in a
list is one fact, such as "ports=containerPort:8000,name:http". A container without an image is a
patch of another: what it leaves out is elsewhere.
"""

import os.path
import re
from collections.abc import Iterator
from typing import Any

import yaml

from vitals.ops.deploy.targets import project_name
from vitals.ops.run import files, shell
from vitals.ops.run.steps import Refused

FILE = re.compile(r"(?!vitals/).*\.ya?ml|deploy/(?!grafana/).*\.json").fullmatch
DEFAULT = re.compile(r"\$\{\w+:?-([^}]*)\}")
BASES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads what has a tag that it does not know, such as !override, as if it had none."""


def _untagged(loader: Any, _: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return tuple(loader.construct_sequence(node, deep=True))  # laid over, it is not joined
    return loader.construct_scalar(node) or None


Loader.add_multi_constructor("", _untagged)


def documents() -> list[tuple[str, dict[str, Any]]]:
    """Each document after its file. Raises Refused for a file that can't be read."""
    found = list[tuple[str, dict[str, Any]]]()
    for file in filter(FILE, files.of_the_repository()):
        try:
            text = (shell.ROOT / file).read_text(encoding="utf-8")
            each = [*yaml.load_all(text, Loader)]
            each += [patch for one in each for patch in _patches(one)]
        except FileNotFoundError:
            continue  # it is deleted, and not committed yet
        except (OSError, ValueError, yaml.YAMLError) as error:
            why = " ".join(str(error).split())
            raise Refused(f"{file}: {why}", "YAML in UTF-8", "repair it") from error
        found += [(file, one if isinstance(one, dict) else {"": one}) for one in each]
    return found


def _patches(document: Any) -> Iterator[Any]:
    """The patches in a document of kustomize: manifests, and operations of RFC 6902."""
    for each in document if isinstance(document, list) else ():
        if isinstance(each, dict) and "op" in each:
            value = each.get("value", "removed")
            for key in reversed(str(each.get("path")).strip("/").split("/")):
                value = [value] if key.isdigit() or key == "-" else {key: value}
            yield value
    for each in document.get("patches") or () if isinstance(document, dict) else ():
        for patch in yaml.load_all(each.get("patch", ""), Loader):
            yield from (patch, *_patches(patch))


def facts(node: Any, at: str = "") -> Iterator[str]:
    """Each value in a document after its path; a variable is replaced by its default."""
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from facts(value, f"{at}.{key}" if at else str(key))
    elif isinstance(node, (list, tuple)) and node:
        for each in node:
            flat = isinstance(each, dict) and not any(
                isinstance(v, (dict, list)) for v in each.values()
            )
            yield from facts(
                ",".join(sorted(map(_pair, each.items()))) if flat and each else each, at
            )
    else:
        yield f"{at}={_text(node)}"


def _pair(item: tuple[Any, Any]) -> str:
    return f"{item[0]}:{_text(item[1])}"


def _text(value: Any) -> str:
    return DEFAULT.sub(r"\1", str(value).lower() if isinstance(value, bool) else str(value))


def pods(node: Any) -> Iterator[dict[str, Any]]:
    """What has containers in a document, in kinds of any name."""
    if isinstance(node, dict) and isinstance(node.get("containers"), list):
        yield node
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for each in inside:
        yield from pods(each)


def service(file: str, name: str, composed: dict[str, Any]) -> Any:
    """A service of a Compose file, with what it extends, laid over that of the folder's base."""
    own = composed.get(file, {}).get("services", {}).get(name) or {}
    base = next((b for b in (_beside(file, x) for x in BASES) if b in composed), file)
    under: Any = service(base, name, composed) if base != file else {}
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


def subjects() -> list[tuple[str, str, bool]]:
    """What a finding can be about: its place, its facts, and whether it is a container."""
    found, ours = documents(), re.compile(rf"(.*/)?{re.escape(project_name())}([:@].*)?")
    composed = {file: each for file, each in found if isinstance(each.get("services"), dict)}
    named = [
        (f"{file} {name}", {"of": "compose", **service(file, name, composed)}, name)
        for file, document in composed.items()
        for name in document["services"]
    ]
    for file, each in found:
        kind, name = each.get("kind"), (each.get("metadata") or {}).get("name", "")
        named.append((place := f"{file} {kind}/{name}" if kind else file, each, ""))
        inside = [container for pod in pods(each) for container in _of_pod(pod)]
        named += [(f"{place} {one['name']}", one, one["name"]) for one in inside]
    return [(place, _lines(each, name, ours), bool(name)) for place, each, name in named]


def _of_pod(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The containers of a pod, each with what the pod says for all."""
    token = {k: v for k, v in pod.items() if k == "automountServiceAccountToken"}
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for each in pod.get(key) or ():
            context = (pod.get("securityContext") or {}) | (each.get("securityContext") or {})
            yield {"name": "patch", **each, "of": "pod", "securityContext": context, **token}


def _lines(each: dict[str, Any], name: str, ours: re.Pattern[str]) -> str:
    """The facts, and for a container its image as it is written, without defaults."""
    found = [*facts(each)]
    if name and "image" in each:
        found.append(f"written={str(each['image']).replace('$', '%')}")
        by_name = re.fullmatch(r"app-(blue|green)|migrate|service", name)
        found += ["ours="] if by_name or ours.fullmatch(str(each["image"])) else []
    return "\n".join(sorted(found, reverse=bool(name))) + "\n"

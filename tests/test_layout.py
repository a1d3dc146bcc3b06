"""The shape of the source: small modules, short functions and lines, import contracts for all packages."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import hdrs
from multidict import istr

from knoll import headers, media_types, paths, v2_parameters
from knoll.codecs import CODECS
from knoll.kube import annotations, labels

pytestmark = pytest.mark.xdist_group("layout")  # so that one process parses the source, once

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "knoll"
MODULES = sorted(SOURCE.rglob("*.py"))
SCRIPTS = sorted(
    path
    for folder in ("functions", "deploy", "images", "benchmarks", "docs")
    for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
REPEATED = 6  # lines
LONGEST_MODULE, LONGEST_FUNCTION, LONGEST_LINE = 250, 40, 110
TRAINING_LOOP = "trainer/loop.py:train_networks"
OF_THE_BUCKET = ("records/", "adapters/", "wiring/", "ports.py", "settings.py")  # what knows its insides
NEED_TORCH = {"cli", "families", "trainer", "views", "wiring.trainer"}


def _place(path: Path) -> str:
    return path.relative_to(SOURCE if SOURCE in path.parents else ROOT).as_posix()


@cache
def _text(path: Path) -> str:
    return path.read_text()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path))


@cache
def _nodes(path: Path) -> Sequence[ast.AST]:
    return [*ast.walk(_tree(path))]


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in _nodes(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (
                f"{_place(path)}:{node.name}",
                (node.end_lineno or 0) - node.lineno + 1,
            )


def _contracts(kind: str) -> list[dict[str, Any]]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [one for one in document["tool"]["importlinter"]["contracts"] if one["type"] == kind]


def _packages() -> set[str]:
    """The modules and packages right below knoll."""
    found = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in MODULES}
    return found - {"__init__"}


def test_no_module_is_too_long() -> None:
    lines = {path: len(_text(path).splitlines()) for path in MODULES + SCRIPTS}
    assert {path: count for path, count in lines.items() if count > LONGEST_MODULE} == {}


def test_no_function_is_too_long_but_the_training_loop() -> None:
    found = (one for path in MODULES + SCRIPTS for one in _functions(path))
    assert {name: count for name, count in found if count > LONGEST_FUNCTION and name != TRAINING_LOOP} == {}


def test_no_line_is_too_long() -> None:
    """Pragmas, URLs and tests count, too."""
    lines = (
        (path, number, line)
        for path in MODULES + SCRIPTS + TESTS
        for number, line in enumerate(_text(path).splitlines(), 1)
    )
    assert [f"{_place(path)}:{number}" for path, number, line in lines if len(line) > LONGEST_LINE] == []


def _statements(path: Path) -> list[tuple[str, str]]:
    """Each line with its place, without blank ones and imports, which are much alike in neighbours."""
    imports = (one for one in _nodes(path) if isinstance(one, ast.Import | ast.ImportFrom))
    left_out = {number for one in imports for number in range(one.lineno, (one.end_lineno or 0) + 1)}
    lines = ((number, line.strip()) for number, line in enumerate(_text(path).splitlines(), 1))
    place = _place(path)
    return [(f"{place}:{number}", line) for number, line in lines if line and number not in left_out]


def test_no_six_lines_are_repeated() -> None:
    places: dict[tuple[str, ...], str] = {}
    repeated = []
    for path in MODULES:
        lines = _statements(path)
        for start in range(len(lines) - REPEATED + 1):
            part = lines[start : start + REPEATED]
            first = places.setdefault(tuple(line for _, line in part), part[0][0])
            if first != part[0][0]:
                repeated.append((first, part[0][0]))
    assert repeated == []


def _reaches_into_the_bucket(node: ast.AST) -> bool:
    """Whether it writes an object, asks where the model bucket is, or takes what encodes a record. To delete
    an object is a call with its URI alone; a document has a kind, too."""
    match node:
        case ast.Attribute(attr="put" | "root" | "model_root"):
            return True
        case ast.Call(func=ast.Attribute(attr="delete"), args=[_]):
            return True
        case ast.ImportFrom(module="knoll.records.record"):
            return True
        case ast.ImportFrom(module="knoll.records", names=names):
            return any(one.name == "record" for one in names)
    return False


def test_only_records_know_places_and_encodings_of_the_model_bucket() -> None:
    """An upload writes to the dataset bucket, and three have queues."""
    reaching = {
        _place(path)
        for path in MODULES
        if not _place(path).startswith(OF_THE_BUCKET) and any(map(_reaches_into_the_bucket, _nodes(path)))
    }
    assert reaching == {"cli/upload_send.py", "views/run_logs.py", "laptop/broker/broker.py"}


ROGUE = """
s = platform.store
s.put(f"s3://models/rogue/{name}", json.dumps(record))
===
s = platform.store
s.delete(uri)
===
put_once(f"{bucket.root}/rogue/{name}", record, bucket)
===
where = settings.model_root
===
from knoll.records.record import put_once
===
from knoll.records import record
"""


@pytest.mark.parametrize("code", ROGUE.split("==="))
def test_code_that_reaches_into_the_bucket_is_seen(code: str) -> None:
    assert any(_reaches_into_the_bucket(node) for node in ast.walk(ast.parse(code)))


_OF_FUNCTIONS = ("functools.cache", "functools.lru_cache", "cache", "lru_cache")
_CHANGEABLE = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
_MAKERS = (
    "WeakKeyDictionary",
    "WeakValueDictionary",
    "OrderedDict",
    "defaultdict",
    "deque",
    "Counter",
    "Caches",
)
_CHANGERS = ("append", "add", "update", "setdefault", "pop", "clear", "insert", "extend", "remove", "discard")


def _module_caches(tree: ast.Module) -> Iterator[str]:
    """What a module remembers between calls: results of functions, globals that change, collections that its
    functions change."""
    own = {
        target.id: one.value
        for one in tree.body
        if isinstance(one, ast.Assign | ast.AnnAssign) and one.value
        for target in (one.targets if isinstance(one, ast.Assign) else [one.target])
        if isinstance(target, ast.Name)
    }
    for name, value in own.items():
        if isinstance(value, ast.Call) and ast.unparse(value.func).rpartition(".")[2] in _MAKERS:
            yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield f"global {', '.join(node.names)}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (node.name for one in node.decorator_list if _names_a_cache(one))
        if (changed := _changed(node)) and _is_changeable(own.get(changed)):
            yield changed


def _is_changeable(value: ast.expr | None) -> bool:
    is_made = isinstance(value, ast.Call) and ast.unparse(value.func) in ("dict", "list", "set")
    return is_made or isinstance(value, _CHANGEABLE)


def _names_a_cache(decorator: ast.expr) -> bool:
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator) in _OF_FUNCTIONS


def _changed(node: ast.AST) -> str:
    """The name of the collection that a statement changes."""
    match node:
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
            return name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in _CHANGERS:
            return name
    return ""


def test_no_module_has_a_cache() -> None:
    """What a process remembers lies in `Platform.caches`, or in an object that somebody made."""
    found = {_place(path): list(_module_caches(_tree(path))) for path in MODULES}
    assert {place: names for place, names in found.items() if names} == {}


HIDDEN = """
@functools.lru_cache(maxsize=1)
def read(): ...
===
@cache
def read(): ...
===
_seen = {}
def read(one): _seen[one] = 1
===
_seen: set[str] = set()
def read(one): _seen.add(one)
===
_seen = weakref.WeakKeyDictionary()
===
_client = None
def read():
    global _client
"""


@pytest.mark.parametrize("code", HIDDEN.split("==="))
def test_a_cache_in_a_module_is_seen(code: str) -> None:
    assert list(_module_caches(ast.parse(code)))


@cache
def _texts(path: Path) -> Sequence[str]:
    """The texts of a module that are written out, bytes as well."""
    values = (node.value for node in _nodes(path) if isinstance(node, ast.Constant))
    found = [one for one in values if isinstance(one, str | bytes)]
    return [one if isinstance(one, str) else one.decode("latin-1") for one in found]


@pytest.mark.parametrize("home", [headers, labels, annotations, media_types, paths, v2_parameters])
def test_a_shared_name_has_one_home(home: ModuleType) -> None:
    """No other module writes the text itself."""
    texts = {value for name, value in vars(home).items() if name.isupper() and isinstance(value, str)}
    again = {
        (path, text)
        for path in MODULES
        if path != Path(home.__file__ or "")
        for text in _texts(path)
        if text in texts
    }
    assert again == set()


@pytest.mark.parametrize(
    ("home", "form"),
    [
        ("installation.py", r"AWS_[A-Z0-9_]+"),
        ("foreign_kinds.py", r"\x89PNG.*|\xff\xd8.*"),
        ("paths.py", r"(GET )?/v[12](/\S*)?"),
        (
            "adapters/document_table.py",
            r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE TABLE)\b.*\b(documents|revisions)\b.*",
        ),
    ],
    ids=["variables of S3 clients", "first bytes of pictures", "paths of V1 and V2", "SQL of documents"],
)
def test_texts_of_a_form_have_one_home(home: str, form: str) -> None:
    again = {
        (_place(path), text)
        for path in MODULES
        if path != SOURCE / home
        for text in _texts(path)
        if re.fullmatch(form, text, re.DOTALL)
    }
    assert again == set()


def test_only_one_module_knows_names_of_http_headers() -> None:
    """Also those that it lacks as yet, if a hyphen shows that they are no usual words."""
    known = {str(name).lower() for name in vars(hdrs).values() if isinstance(name, istr) and "-" in name}
    again = {
        (path, text)
        for path in MODULES
        if path != Path(headers.__file__)
        for text in _texts(path)
        if text.lower() in known
        or text.lower().startswith(("webhook-", "sec-fetch-", "x-knoll-", "x-model-"))
    }
    assert again == set()


_KNOWS_CODECS = re.compile(r"from knoll\.(codecs|records\.signature) |\bcodec\b")


def _named_kinds(tree: ast.Module) -> Iterator[str]:
    """The kinds of codecs that a module names in a text. Names of tensors, keys that are read, and the only
    field of an object of JSON are other things, whatever their words."""
    others: list[ast.AST | None] = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name("Tensor"), args=[name, *_]):
                others.append(name)
            case ast.Subscript(slice=key) | ast.Dict(keys=[key]):
                others.append(key)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in [*CODECS] and node not in others:
            yield node.value


def test_only_codecs_and_the_default_of_a_signature_name_a_kind_of_codec() -> None:
    """A new kind is a module and a line in the table: all that others ask of it, it answers itself."""
    others = [one for one in MODULES if not _place(one).startswith("codecs/")]
    named = {_place(one): {*_named_kinds(_tree(one))} for one in others if _KNOWS_CODECS.search(_text(one))}
    assert {place: kinds for place, kinds in named.items() if kinds} == {"records/signature.py": {"tensor"}}


@pytest.mark.parametrize(
    "code",
    ['one.codec == "image"', 'Tensor("x", "FP32", (-1,), "classes")', '{"image": 1, "latent": 2}'],
    ids=["a comparison", "a declaration", "a table"],
)
def test_a_kind_of_codec_that_is_named_is_seen(code: str) -> None:
    assert [*_named_kinds(ast.parse(code))]


def _is_number(node: ast.expr) -> bool:
    """Whether a value is a number that is written out, or may be one, or is reckoned with one."""
    match node:
        case ast.IfExp():
            return _is_number(node.body) or _is_number(node.orelse)
        case ast.BinOp():
            return _is_number(node.left) or _is_number(node.right)
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


def test_exit_codes_have_names() -> None:
    """No number is given to what ends a process or a command, and none is built from a signal's."""
    numbered = {
        (_place(path), ast.unparse(node))
        for path in MODULES
        for node in _nodes(path)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("typer.Exit", "sys.exit", "os._exit", "SystemExit")
        and any(_is_number(one) for one in node.args)
    }
    assert numbered == set()


def _classes(tree: ast.Module) -> Iterator[str]:
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def _aliases(tree: ast.Module) -> Iterator[str]:
    """The names that a module gives to types. What typer is told of an argument is none."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(name)], value=ast.Subscript() | ast.BinOp() as value):
                is_of_typer = "typer." in ast.unparse(value)
                if name.lstrip("_")[:1].isupper() and not name.isupper() and not is_of_typer:
                    yield name


@pytest.mark.parametrize("names_of", [_classes, _aliases], ids=["class", "alias"])
def test_each_class_and_each_alias_has_a_name_of_its_own(names_of: Callable[[ast.Module], Any]) -> None:
    """Private ones, too: a name is one thing, wherever it is read."""
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        for name in names_of(_tree(path)):
            homes.setdefault(name, []).append(_place(path))
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


def test_every_package_has_its_layer() -> None:
    (contract,) = _contracts("layers")
    assert contract["exhaustive"]
    named = [name.strip() for layer in contract["layers"] for name in layer.split("|")]
    assert sorted(named) == sorted(_packages())


@pytest.mark.parametrize("library", ["torch", "kserve", "boto3", "lightkube", "rich", "typer"])
def test_a_heavy_library_is_kept_out_of_all_modules_but_a_few(library: str) -> None:
    """A contract about all of knoll, whose exceptions are written out."""
    covering = [one for one in _contracts("forbidden") if library in one["forbidden_modules"]]
    assert any(one["source_modules"] == ["knoll.*"] for one in covering)


def test_every_module_but_a_few_never_needs_torch() -> None:
    """If you add a package or a module of wiring, say on which side it is. The command line, views and what
    families declare have a contract of their own."""
    without = [one for one in _contracts("forbidden") if one.get("allow_indirect_imports") is False]
    deployed, people = without
    wiring = {f"wiring.{path.stem}" for path in (SOURCE / "wiring").glob("*.py")} - {"wiring.__init__"}
    named = {name.removeprefix("knoll.") for name in deployed["source_modules"]}
    assert named == (_packages() - {"wiring"} | wiring) - NEED_TORCH
    assert people["source_modules"] == [
        "knoll.cli",
        "knoll.views",
        "knoll.families.declaration",
        "knoll.families.*.declaration",
    ]
    assert all("torch" in one["forbidden_modules"] for one in without)

"""What `import knoll.client` costs: httpx is most of it."""

from predict.test_imports import ran

_MODULES = 330
_HEAVY = ("PIL", "boto3", "grpc", "kserve", "numpy", "onnxruntime", "pydantic", "torch", "typer", "uvicorn")


def test_a_client_imports_little() -> None:
    _, nothing = ran("pass")
    _, modules = ran("import knoll.client")
    assert {one for one in _HEAVY if one in modules} == set()
    assert len(modules - nothing) < _MODULES

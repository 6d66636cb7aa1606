"""Random requests over the whole OpenAPI: no server error, no answer that is not documented."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sessions_app.api import api
from sessions_app.models import SessionLease, User
from tests.api.conftest import Program
from tests.factories import make_session

# Where the answers come from makes no difference to their shapes, and it takes two minutes.
pytestmark = pytest.mark.skipif(
    os.environ.get("TEST_DATABASE") == "postgres", reason="once is enough: it is about shapes"
)

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
]  # fmt: skip
EXAMPLES = 8
QUIET = settings(
    max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@schemathesis.serializer("application/zip")
def any_bytes(_context: Any, value: Any) -> bytes:
    """What is sent in the place of an archive is none: it must be refused."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def names() -> Iterator[str]:
    for path, methods in api.get_openapi_schema()["paths"].items():
        yield from (f"{method.upper()} {path}" for method in methods)


@cache
def operations() -> dict[str, Any]:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application())
    results = list(schema.get_all_operations())
    found = [result.ok() for result in results if isinstance(result, Ok)]
    assert len(found) == len(results)
    return {f"{item.method.upper()} {item.path}": item for item in found}


@pytest.fixture
def open_connection(db: None) -> Iterator[None]:
    """A request of a real server ends with its connection, which holds the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("open_connection")
@pytest.mark.parametrize("name", list(names()))
def test_nothing_is_unexpected(name: str, owners: Program, owner: User) -> None:
    operation = operations()[name]
    session = make_session(owner, source="api")
    headers = {"Authorization": f"Bearer {owners.secret}"}

    @seed(1)
    @QUIET
    @given(case=operation.as_strategy())
    def attempt(case: Any) -> None:
        if "id" in case.path_parameters and len(case.path_parameters["id"]) % 4:
            case.path_parameters["id"] = session.short_id
        SessionLease.objects.all().delete()  # nobody is to be waited for
        case.call_and_validate(headers=headers, checks=CHECKS)

    attempt()

"""The API is as its description says: what it allows is answered as promised, and what it does not is refused."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from pages import accepted, picture
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from segtumor.web.api.about import description

pytestmark = pytest.mark.fuzz

OPERATIONS = [
    (path, method)
    for path, operations in description()["paths"].items()
    for method in operations
    if method in ("get", "put", "post", "delete")
]
#: Not the one that wants another status for a change without its header: the guard refuses it before all else.
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it closes no answer that is a file
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_keeps_its_promises(page, path, method):
    (image,) = page.read(("a.png", picture(0, 1)))
    page.review(image, accepted(0))
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", page.client.application)

    @settings(max_examples=20, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=schema[path][method.upper()].as_strategy())
    def run(case):
        if "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = image["id"]
        case.call_and_validate(checks=CHECKS, headers={"X-Segtumor": "1"})

    run()


def test_the_description_names_every_address(page):
    rules = [rule for rule in page.client.application.url_map.iter_rules() if rule.rule.startswith("/api/v1/")]
    ours = {(rule.rule, method) for rule in rules for method in rule.methods - {"HEAD", "OPTIONS"}}
    described = {
        (f"/api/v1{path}".replace("{", "<").replace("}", ">").replace("<id>", "<key>"), method.upper())
        for path, method in OPERATIONS
    }
    assert ours - described == {("/api/v1/openapi.json", "GET")} and described <= ours

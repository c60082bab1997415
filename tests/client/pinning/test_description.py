"""The service that the client is tried with answers as the API's description says."""

import pytest
import schemathesis
from description import CID, DESCRIPTION
from hypothesis import HealthCheck, settings
from service import TOKEN, Service, serving

schema = schemathesis.openapi.from_dict(DESCRIPTION)


@pytest.fixture(scope="module")
def url():
    service = Service(steps=("pinned",))
    for _ in range(3):
        service.add({"cid": CID})
    with serving(service) as found:
        yield found


@schema.parametrize()
@settings(max_examples=30, suppress_health_check=list(HealthCheck), deadline=None)
def test_the_service_keeps_to_the_description(case, url):
    case.call_and_validate(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"})

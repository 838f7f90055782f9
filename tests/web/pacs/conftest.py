"""What the tests of archives share: one Orthanc for all of them, empty at the start of each."""

import pytest
from orthanc_server import PASSWORD, USER, running_orthanc


@pytest.fixture(scope="session")
def orthanc_process(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc")) as server:
        yield server


@pytest.fixture
def orthanc(orthanc_process):
    orthanc_process.empty()
    return orthanc_process


@pytest.fixture
def credentials(tmp_path):
    path = tmp_path / "credentials"
    path.write_text(f"{USER}:{PASSWORD}\n")
    path.chmod(0o600)
    return path

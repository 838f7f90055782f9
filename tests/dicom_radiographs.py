"""Radiographs as DICOM files, complete enough to be filed with, and what judges the objects that are made of them."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parent / "imaging"))
from imaging_files import dicom_bytes

STUDY, SERIES, IMAGE = "1.2.826.1.1", "1.2.826.1.2", "1.2.826.1.3"
SIZE_HW = (48, 40)
#: What a digital X-ray of a hospital says.
FULL = {
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1",
    "Modality": "DX",
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": "Müller^Änne",
    "PatientID": "SECRET-1",
    "IssuerOfPatientID": "Hospital",
    "PatientBirthDate": "19500101",
    "PatientSex": "F",
    "PatientAge": "070Y",
    "StudyDate": "20200102",
    "StudyTime": "101112",
    "StudyID": "7",
    "AccessionNumber": "A1",
    "ReferringPhysicianName": "Geheim^Otto",
    "StudyDescription": "Knee",
    "PatientOrientation": ["L", "F"],
    "ImageLaterality": "R",
    "ImagerPixelSpacing": [0.15, 0.2],
}


def radiograph_file(path, stored=None, **elements):
    """Write a computed radiograph of 48 x 40 px with all UIDs it needs; ``elements`` as of ``dicom_bytes``."""
    if stored is None:
        stored = np.random.default_rng(0).integers(0, 4096, SIZE_HW, dtype=np.uint16)
    uids = {"StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "SOPInstanceUID": IMAGE, "Modality": "CR"}
    path.write_bytes(dicom_bytes(stored, **{**uids, **elements}))
    return path


def errors_of(path):
    """What dciodvfy (dicom3tools) calls an error in a DICOM file, a list of lines; skips where it is not installed."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: apt-get install dicom3tools)")
    result = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    lines = (result.stdout + result.stderr).splitlines()
    assert len(lines) > 0, "dciodvfy names at least the kind of object"
    return [line for line in lines if line.startswith(("Error", "Abort"))]

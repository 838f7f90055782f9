"""Nothing of the patient leaves a file: not in errors, logs, warnings, output, or what exceptions carry along."""

import logging
import pickle
import threading
import traceback
import warnings

import numpy as np
import pytest
from imaging_files import GRAY, dicom_bytes, replace_syntax

from segtumor.errors import BadImageError
from segtumor.imaging import read_radiograph, read_size_hw

pydicom = pytest.importorskip("pydicom")
from dicom_codecs import UIDS, codestream, compressed_dicom_bytes  # noqa: E402 - needs pydicom

from segtumor.imaging.dicom import dicom_identity, name_reveals_patient  # noqa: E402
from segtumor.imaging.dicom.header import opened  # noqa: E402

PICTURE = np.kron(GRAY, np.ones((8, 8), np.uint8))
SALT = b"s" * 32
PATIENT = {
    "PatientName": "Quillfeather^Ottoline^Mx",
    "PatientID": "HX77431-9",
    "IssuerOfPatientID": "Hospital of Brackenmoor",
    "PatientBirthDate": "19410223",
    "StudyDate": "20190817",
    "StudyTime": "113355",
    "PatientAddress": "Larkspur Lane",
    "InstitutionName": "Brackenmoor",
    "ReferringPhysicianName": "Zimmerglock^Udo",
    "StudyDescription": "Knee of Quillfeather",
    "StudyInstanceUID": "1.9.77.424242.1",
    "SeriesInstanceUID": "1.9.77.424242.2",
    "SOPInstanceUID": "1.9.77.424242.3",
    "AccessionNumber": "ACC90210",
    "ProtocolName": "Quillfeather special",
    "DeviceSerialNumber": "SN5550123",
}
#: What must not be seen, in small letters.
SECRETS = [
    "quillfeather", "ottoline", "hx77431", "77431", "brackenmoor", "19410223", "1941", "20190817", "113355", "larkspur",
    "zimmerglock", "424242", "acc90210", "5550123", "special", "topsecret",
]  # fmt: skip


def patient_bytes(stored=PICTURE, **options):
    with warnings.catch_warnings(action="ignore"):  # of pydicom, about what is written here
        return _patient_bytes(stored, options)


def _patient_bytes(stored, options):
    data = dicom_bytes(stored, **(PATIENT | {"WindowCenter": 127, "WindowWidth": 255} | options))
    dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(data))
    block = dataset.private_block(0x0011, "TopSecret Maker", create=True)
    block.add_new(1, "LO", "TopSecret Quillfeather")
    buffer = pydicom.filebase.DicomBytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def overwritten(data, keyword, text):
    """The value of an element replaced by text of the same length."""
    tag = pydicom.tag.Tag(keyword)
    at = data.index(tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little"))
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    return data[: at + 8] + text.encode()[:length].ljust(length) + data[at + 8 + length :]


SPACING = {"PixelSpacing": ["0.1234567", "0.1234567"]}
RESCALE = {"RescaleSlope": "1.2345678901234", "RescaleIntercept": "1.2345678901234"}
NAME = "Quillfeather^O"
CASES = {
    "good": lambda: patient_bytes(**SPACING),
    "cut": lambda: patient_bytes()[:-700],
    "cut in the header": lambda: patient_bytes()[:600],
    "slope is a name": lambda: overwritten(patient_bytes(**RESCALE), "RescaleSlope", NAME),
    "intercept is a name": lambda: overwritten(patient_bytes(**RESCALE), "RescaleIntercept", NAME),
    "spacing is a name": lambda: overwritten(patient_bytes(**SPACING), "PixelSpacing", NAME),
    "function is a name": lambda: patient_bytes(VOILUTFunction="QUILLFEATHER"),
    "colour is a name": lambda: patient_bytes(PhotometricInterpretation="QUILLFEATHER"),
    "age and sex are names": lambda: patient_bytes(PatientAge="1941", PatientSex="QUILLFEATHER"),
    "part is a name": lambda: patient_bytes(BodyPartExamined="QUILLFEATHER", ViewPosition="OTTOLINE"),
    "frames are a name": lambda: overwritten(patient_bytes(NumberOfFrames="111111111111"), "NumberOfFrames", NAME),
    "syntax is a name": lambda: replace_syntax(patient_bytes(), "1.9.77.424242.9"),
    "syntax is another": lambda: replace_syntax(patient_bytes(), UIDS["JPEG 2000"]),
    "character set is unknown": lambda: patient_bytes(SpecificCharacterSet="QUILLFEATHER"),
    "frames": lambda: patient_bytes(NumberOfFrames=2),
    "too large": lambda: patient_bytes(Rows=60_000, Columns=60_000),
    "blank window": lambda: patient_bytes(WindowCenter=9e6),
    "broken frame": lambda: patient_bytes(syntax=UIDS["JPEG 2000"], fragments=[codestream(PICTURE, "JPEG 2000")[:120]]),
    "name in a frame": lambda: patient_bytes(syntax=UIDS["JPEG baseline"], fragments=[b"\xff\xd8Quillfeather"]),
    "crashing frame": lambda: patient_bytes(
        syntax=UIDS["JPEG-LS"], fragments=[codestream(PICTURE, "JPEG-LS")[:60] + b"Quillfeather\xff\xd9"]
    ),
}  # fmt: skip


def everything_told(error):
    """Message, representation, pickle and tracebacks of an error and of all that it carries along."""
    told, waiting, seen = [], [error], set()
    while waiting:
        error = waiting.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        told += [str(error), repr(error), "".join(traceback.format_exception(error))]
        waiting += [error.__cause__, error.__context__]
        if isinstance(error, BadImageError):
            told.append(repr(vars(error)) + repr(pickle.loads(pickle.dumps(error))))
    # Source lines of this file name the cases, which are not told to anyone.
    return "\n".join(line for part in told for line in part.splitlines() if "lambda" not in line)


@pytest.mark.parametrize("case", CASES)
def test_no_message_log_or_output_tells_the_patient(case, tmp_path, caplog, capfd):
    path, told = tmp_path / "picture.dcm", []
    path.write_bytes(CASES[case]())
    caplog.clear()  # pydicom speaks when it writes, too
    capfd.readouterr()
    calls = (read_radiograph, read_size_hw, lambda p: dicom_identity(p, salt=SALT), name_reveals_patient)
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for call in calls:
            try:
                told.append(repr(call(path)))
            except BadImageError as error:
                told.append(everything_told(error))
    told += [caplog.text, *capfd.readouterr(), *(str(warning.message) for warning in warned)]
    found = [secret for secret in SECRETS if secret in "\n".join(told).lower()]
    assert not found, "\n".join(told)


def test_the_secrets_are_in_the_file():
    data = patient_bytes().lower()
    assert all(secret.encode() in data for secret in SECRETS)


def test_errors_carry_no_foreign_exception_along(tmp_path):
    path = tmp_path / "picture.dcm"
    path.write_bytes(patient_bytes()[:600])
    with pytest.raises(BadImageError) as caught:
        read_radiograph(path)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_pydicom_may_speak_again_afterwards(tmp_path, caplog):
    path = tmp_path / "picture.dcm"
    path.write_bytes(compressed_dicom_bytes(PICTURE, "RLE"))
    read_radiograph(path)
    logging.getLogger("pydicom").warning("audible")
    assert "audible" in caplog.text


def _read_often(path, told) -> None:
    for _ in range(20):
        try:
            told.append(repr(dicom_identity(path, salt=SALT)) + repr(read_size_hw(path)))
            read_radiograph(path)
        except BadImageError as error:
            told.append(everything_told(error))


def test_threads_that_read_at_once_tell_nothing_and_leave_the_settings_of_the_process(tmp_path, monkeypatch, caplog):
    """``catch_warnings`` in each thread let warnings of the others through, and left all warnings off for good."""
    path, warned, told = tmp_path / "picture.dcm", [], []
    path.write_bytes(CASES["character set is unknown"]())
    mode = pydicom.config.settings.reading_validation_mode
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda message, *details, **options: warned.append(str(message)))
        before = list(warnings.filters)
        caplog.clear()
        threads = [threading.Thread(target=_read_often, args=(path, told)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            with warnings.catch_warnings():  # whatever others do with the filters meanwhile
                warnings.simplefilter("always")
        for thread in threads:
            thread.join()
        assert list(warnings.filters) == before
    assert pydicom.config.settings.reading_validation_mode == mode
    found = [secret for secret in SECRETS if secret in "\n".join([*told, *warned, caplog.text]).lower()]
    assert not found and warned == []


def test_pydicom_speaks_to_everyone_else_while_a_thread_reads(tmp_path, recwarn, caplog):
    path = tmp_path / "picture.dcm"
    path.write_bytes(patient_bytes())
    with opened(path, ("Rows",)):
        speaking = threading.Thread(target=pydicom.misc.warn_and_log, args=("a word of pydicom",))
        speaking.start()
        speaking.join()
        pydicom.misc.warn_and_log("not a word")
    pydicom.misc.warn_and_log("and afterwards")
    assert [str(warning.message) for warning in recwarn] == ["a word of pydicom", "and afterwards"]
    assert "a word of pydicom" in caplog.text and "not a word" not in caplog.text

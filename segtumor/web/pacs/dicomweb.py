"""An archive that speaks DICOMweb (PS3.18): its studies by QIDO-RS, radiographs by WADO-RS, results back by STOW-RS.

Of radiographs only: a study's other series, and what segtumor itself made, are neither listed nor fetched. Searches are
by date and modality, so that no patient is in an address. Not here: when to ask, and what becomes of the files.
"""

import contextlib
import datetime
import io
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.errors import BadImageError, PacsError, SegtumorError, needed
from segtumor.files import prepare_output_folder, write_bytes
from segtumor.imaging.failures import decoder_errors
from segtumor.web.pacs.arrivals import MOST_BYTES, RADIOGRAPHS, OnFile, file_name, hand_over
from segtumor.web.pacs.session import check_address, make_session

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from requests import HTTPError

logger = logging.getLogger(__name__)
#: Part of addresses; what else an archive or a caller names is refused.
_UID = re.compile(r"[0-9.]{1,64}")
_STUDY_FIELDS = ("StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedInstances")
_REFUSED = (401, 403, 407)
#: Status of a request to store that says something of the object, rather than of the service.
_OF_THE_OBJECT = (400, 409, 415)


@dataclass(frozen=True)
class Study:
    """A study in the archive; who it is of is not shown where it is printed or logged.

    Attributes:
        uid: StudyInstanceUID.
        date: as "20200131", or "" where the archive gives none.
        modalities: in it, those of other series too.
        n_images: in it, of any kind; None where the archive does not say.
    """

    uid: str
    date: str
    modalities: tuple[str, ...]
    description: str = field(repr=False)
    n_images: int | None = None
    patient_id: str = field(default="", repr=False)
    patient_name: str = field(default="", repr=False)


@dataclass(frozen=True)
class Sent:
    """What became of one file: ``reason`` is why the archive did not take it, or None."""

    path: Path
    reason: str | None = None


class DicomWeb:
    """A DICOMweb service.

    Args:
        url: of the service, such as "https://pacs.example:8443/dicom-web".
        credentials: file with one line, USER:PASSWORD or Bearer TOKEN.
        ca_file: certificates, PEM, that the server's must lead to; None for those that are commonly trusted.
        timeout_s: seconds to connect, and between two pieces of an answer.
        most_bytes: of one object, or of one list of studies.

    Raises:
        ConfigError: an address or a file that cannot be used.
        InstallationError: dicomweb-client is missing.
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: Path | None = None,
        ca_file: Path | None = None,
        timeout_s: tuple[float, float] = (5.0, 60.0),
        most_bytes: int = MOST_BYTES,
    ) -> None:
        remedy = "Type: pip install 'segtumor[dicom]'"
        with needed("dicomweb_client", "DICOMweb needs dicomweb-client", remedy=remedy):
            from dicomweb_client import DICOMwebClient

        self.url, self._timeout_s = check_address(url), timeout_s
        session = make_session(self.url, credentials=credentials, ca_file=ca_file, most_bytes=most_bytes)
        self._client = DICOMwebClient(self.url, session, timeout=timeout_s, permissive_uid=True)
        self._client.set_http_retry_params(retry=False)  # it would wait for half a minute; who asks can ask again

    def studies(
        self,
        *,
        since: datetime.date | None = None,
        until: datetime.date | None = None,
        limit: int = 100,
        modalities: Sequence[str] = RADIOGRAPHS,
    ) -> list[Study]:
        """Studies with radiographs, the newest first.

        Args:
            since, until: first and last day, or None.
            limit: most studies; where there are more, a warning says so.

        Raises:
            PacsError: the service does not answer, refuses, or is none.
        """
        filters = {} if since is None and until is None else {"StudyDate": _range(since, until)}
        found: dict[str, Study] = {}
        for modality in modalities:  # a list of them is nothing that the standard lets one ask for
            asked = {**filters, "ModalitiesInStudy": modality}
            with self._errors():
                answers = self._client.search_for_studies(
                    search_filters=asked, fields=list(_STUDY_FIELDS), limit=limit + 1
                )
                studies = [_study(answer) for answer in answers]
            # A service may ignore what it does not know how to ask for.
            found |= {one.uid: one for one in studies if modality in (one.modalities or (modality,))}
        newest = sorted(found.values(), key=lambda one: one.date, reverse=True)
        if len(newest) > limit:
            logger.warning("%s: more than %d studies; narrow the dates to see the others", self.url, limit)
        return newest[:limit]

    def fetch(self, study_uid: str, folder: str | Path, on_file: OnFile) -> int:
        """Get the radiographs of a study, one file after the other; returns how many.

        Args:
            folder: where they go, created if needed.

        Raises:
            PacsError: as ``studies``, or there is no such study, or one of its objects is too large.
            BadImageError: an object is no DICOM file that could be written.
            OutputError: a file cannot be written.
        """
        if not _UID.fullmatch(study_uid):
            raise PacsError("this is no StudyInstanceUID", where=self.url, expected="numbers with dots between")
        folder, count = prepare_output_folder(folder), 0
        for series_uid in self._series(study_uid):
            with self._errors():
                answers = self._client.search_for_instances(study_uid, series_uid)
                uids = [_uid(answer, "00080018") for answer in answers]
            for uid in uids:
                path = folder / file_name(uid)
                self._save(study_uid, series_uid, uid, path)
                hand_over(path, f"DICOMweb, {self.url}", on_file)
                count += 1
        return count

    def send(self, paths: Iterable[str | Path]) -> list[Sent]:
        """Store DICOM files in the archive, one after the other; what it does not take is no exception.

        Raises:
            PacsError: the service does not answer, refuses access, or is none.
        """
        return [self._send(Path(path)) for path in paths]

    def _series(self, study_uid: str) -> list[str]:
        with self._errors():
            answers = self._client.search_for_series(study_uid, fields=["Modality"])
            known = [(_uid(answer, "0020000E"), _text(answer, "00080060")) for answer in answers]
        if not known:
            raise PacsError("the archive has no such study", where=self.url)
        return [uid for uid, modality in known if modality in RADIOGRAPHS]

    def _save(self, study_uid: str, series_uid: str, uid: str, path: Path) -> None:
        from segtumor.imaging.dicom.silence import silent_pydicom

        with self._errors(), silent_pydicom():
            dataset = self._client.retrieve_instance(
                study_uid, series_uid, uid, media_types=(("application/dicom", "*"),)
            )
        data = io.BytesIO()
        with decoder_errors(self.url, kind="DICOM", private=True), silent_pydicom():
            dataset.save_as(data, enforce_file_format=True)
        write_bytes(path, data.getbuffer())

    def _send(self, path: Path) -> Sent:
        import pydicom
        import requests

        from segtumor.imaging.dicom.silence import silent_pydicom

        try:
            with silent_pydicom(), decoder_errors(path, kind="DICOM", private=True):
                dataset = pydicom.dcmread(path)
        except BadImageError as error:
            return Sent(path, str(error))
        with self._errors(), silent_pydicom():
            try:
                return Sent(path, _failure(self._client.store_instances([dataset])))
            except requests.HTTPError as error:
                if _status(error) not in _OF_THE_OBJECT:
                    raise
                return Sent(path, f"the archive did not take it (status {_status(error)})")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever goes wrong in asking, as PacsError, which quotes no answer: that may be a patient's."""
        import requests

        try:
            yield
        except SegtumorError:
            raise
        except requests.exceptions.SSLError as error:
            what = "the certificate of the service is not trusted, or it speaks no TLS"
            raise PacsError(what, where=self.url, remedy="Give its certificate") from error
        except requests.Timeout as error:
            seconds = f"{self._timeout_s[0]:g} s to connect, {self._timeout_s[1]:g} s for an answer"
            raise PacsError("no answer in time", where=self.url, expected=seconds) from error
        except requests.HTTPError as error:
            raise self._refusal(_status(error)) from error
        except requests.exceptions.JSONDecodeError as error:
            raise self._no_dicomweb() from error
        except requests.RequestException as error:
            remedy = "Check the address, and whether the service runs"
            raise PacsError("the service cannot be reached", where=self.url, remedy=remedy) from error
        except Exception as error:  # an answer of any other form; pydicom and the client raise kinds of their own
            raise self._no_dicomweb() from error

    def _refusal(self, status: int) -> PacsError:
        if status in _REFUSED:
            remedy = "Check the file of credentials"
            return PacsError(f"the service refuses access (status {status})", where=self.url, remedy=remedy)
        if status in (404, 405):
            return self._no_dicomweb(f"status {status}")
        return PacsError(f"the service cannot do it now (status {status})", where=self.url)

    def _no_dicomweb(self, got: str | None = None) -> PacsError:
        remedy = "Check the path of the address, such as /dicom-web"
        return PacsError("this does not answer as DICOMweb", where=self.url, got=got, remedy=remedy)


def _status(error: "HTTPError") -> int:
    return 0 if error.response is None else error.response.status_code


def _range(since: datetime.date | None, until: datetime.date | None) -> str:
    return "-".join("" if day is None else day.strftime("%Y%m%d") for day in (since, until))


def _text(answer: Mapping[str, Any], tag: str) -> str:
    """First value of an element of DICOM JSON (PS3.18 F.2) as text, "" without one."""
    values = answer.get(tag, {}).get("Value") or [""]
    value = values[0]
    return str(value.get("Alphabetic", "") if isinstance(value, dict) else value)


def _uid(answer: Mapping[str, Any], tag: str) -> str:
    text = _text(answer, tag)
    if not _UID.fullmatch(text):
        raise ValueError(f"no UID in {tag}")
    return text


def _study(answer: Mapping[str, Any]) -> Study:
    number = _text(answer, "00201208")
    return Study(
        uid=_uid(answer, "0020000D"),
        date=_text(answer, "00080020"),
        modalities=tuple(map(str, answer.get("00080061", {}).get("Value") or ())),
        description=_text(answer, "00081030"),
        n_images=int(number) if number.isdecimal() else None,
        patient_id=_text(answer, "00100020"),
        patient_name=_text(answer, "00100010"),
    )


def _failure(answer: "Dataset") -> str | None:
    """Why the archive did not store the one object that it was sent (PS3.18 10.5.3), or None."""
    failed = answer.get("FailedSOPSequence") or answer.get("OtherFailuresSequence")
    if not failed:
        return None
    reason = failed[0].get("FailureReason")
    code = f"reason {int(reason):04X}" if reason is not None else "no reason given"
    return f"the archive did not take it ({code})"

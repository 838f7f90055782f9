"""``segtumor serve``: the page for the reading room."""

import argparse
import contextlib
import re
import tempfile
import webbrowser
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from segtumor.commands.common.command_line import check_threads, command, make_parser
from segtumor.errors import ConfigError

if TYPE_CHECKING:
    from segtumor.web.pacs.dicomweb import DicomWeb
    from segtumor.web.site import Settings
    from segtumor.web.storage.store import Store

RUN, EXPORT, PURGE = "run", "export", "purge"
_DATA = "output/page"
_AGE = re.compile(r"(\d{1,5})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_SAMPLE_CASES, _SAMPLE_SEED, _SAMPLE_SIZE_PX = 6, 3, 512


def build_parser() -> argparse.ArgumentParser:
    """Parser of this command."""
    parser = make_parser(
        "segtumor serve",
        "A page on this machine where radiographs are read by a model, looked at and corrected.\n"
        "run (default) serves it until Ctrl+C, export writes what was reviewed as a data set, purge removes the old.",
        examples=[
            "segtumor serve",
            "segtumor serve --samples --open",
            "segtumor serve --model output/my_run --data /srv/page --port 8080",
            "segtumor serve --host 0.0.0.0 --allow-host reading-room.example --token token.txt",
            "segtumor serve --dicomweb https://pacs.example:8443/dicom-web --dicomweb-credentials pacs.txt",
            "segtumor serve --dicom-port 11112 --dicom-title SEGTUMOR",
            "segtumor serve export --data output/page --output datasets/corrected",
            "segtumor serve purge --data output/page --older-than 30d",
        ],
    )
    parser.add_argument("action", nargs="?", choices=(RUN, EXPORT, PURGE), default=RUN, help="default: run")
    parser.add_argument("--data", default=_DATA, metavar="DIR", help=f"what the page keeps (default {_DATA})")
    parser.add_argument(
        "--database", metavar="URL", help="SQLAlchemy address of another database than SQLite in --data"
    )
    _add_run_options(parser.add_argument_group("run"))
    export = parser.add_argument_group("export")
    export.add_argument("--output", metavar="DIR", help="folder to write the reviewed images to")
    export.add_argument("--format", choices=("coco", "labelme"), default="coco", help="default: coco")
    purge = parser.add_argument_group("purge")
    purge.add_argument("--older-than", metavar="AGE", help="images that arrived before that: 12h, 30d, 8w")
    return parser


def _add_run_options(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--model", metavar="NAME|DIR", help="a shipped model, a training run or an export")
    group.add_argument("--port", type=int, default=8000, metavar="N", help="default 8000; 0 takes a free one")
    group.add_argument(
        "--host", default="127.0.0.1", metavar="NAME", help="address to listen on (default: this machine)"
    )
    group.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a further name that browsers call it by"
    )
    group.add_argument("--token", metavar="FILE", help="file with a secret that users type; needed with another --host")
    group.add_argument("--show-patient", action="store_true", help="show names from DICOM headers on the screen")
    group.add_argument("--samples", action="store_true", help="begin with synthetic radiographs, if there are none yet")
    group.add_argument("--open", action="store_true", help="open the page in a browser")
    pacs = group.add_argument
    pacs("--dicomweb", metavar="URL", help="archive that studies are taken from and results sent to")
    pacs("--dicomweb-credentials", metavar="FILE", help="a line with USER:PASSWORD or Bearer TOKEN")
    pacs("--dicomweb-ca", metavar="FILE", help="certificates that the archive's must lead to")
    pacs("--dicom-port", type=int, metavar="N", help="receive radiographs by C-STORE at this port")
    pacs("--dicom-host", default="127.0.0.1", metavar="NAME", help="address to receive at (default: this machine)")
    pacs("--dicom-title", default="SEGTUMOR", metavar="AE", help="what senders call it (default SEGTUMOR)")
    pacs("--dicom-callers", nargs="+", default=[], metavar="AE", help="titles of who may send (default: any)")
    group.add_argument("--threads", type=int, metavar="N", help="of the model (default: one on each core)")


@command(build_parser)
def main(arguments: argparse.Namespace) -> int:
    _check(arguments)
    with _needed():
        from segtumor.web.storage.store import Store

    store = Store(arguments.data, arguments.database)
    try:
        {RUN: _run, EXPORT: _export, PURGE: _purge}[arguments.action](store, arguments)
    finally:
        store.close()
    return 0


def _check(arguments: argparse.Namespace) -> None:
    check_threads(arguments.threads)
    if not 0 <= arguments.port < 2**16:
        raise ConfigError("out of range", where="--port", got=arguments.port, expected="0 to 65535")
    for option, action in (("output", EXPORT), ("older_than", PURGE)):
        if (getattr(arguments, option) is not None) != (arguments.action == action):
            where = f"--{option.replace('_', '-')}"
            raise ConfigError(f"{action}, and only {action}, needs it", where=where, got=arguments.action)
    if arguments.action != RUN and not Path(arguments.data).is_dir():
        raise ConfigError("there is no such folder", where="--data", got=arguments.data)


def _run(store: "Store", arguments: argparse.Namespace) -> None:
    from segtumor.web.model import ServedModel
    from segtumor.web.serving import read_token, receiver_of, running_site
    from segtumor.web.site import Settings

    settings = Settings(
        host=arguments.host,
        port=arguments.port,
        hosts=arguments.allow_host,
        token=None if arguments.token is None else read_token(arguments.token),
        show_patient=arguments.show_patient,
    )
    model = ServedModel(arguments.model, threads=arguments.threads)
    archive = _archive(arguments)
    with running_site(store, model, settings, archive) as (site, server, port), contextlib.ExitStack() as stack:
        if arguments.dicom_port is not None:
            told = {"host": arguments.dicom_host, "ae_title": arguments.dicom_title, "callers": arguments.dicom_callers}
            receiver = stack.enter_context(receiver_of(site, arguments.dicom_port, **told))
            print(f"{arguments.dicom_title} receives DICOM at {arguments.dicom_host}:{receiver.port}", flush=True)
        if arguments.samples and not store.images():
            _take_samples(store, settings)
            site.worker.wake()
        address = f"http://{_shown(arguments.host)}:{port}/"
        print(f"{model.name} {model.version} reads at {address} (Ctrl+C ends it); kept in {store.folder}", flush=True)
        if settings.token is not None:
            print(_banner(settings), flush=True)
        if arguments.open:
            webbrowser.open(address)
        server.run()


def _archive(arguments: argparse.Namespace) -> "DicomWeb | None":
    if arguments.dicomweb is None:
        return None
    from segtumor.web.pacs.dicomweb import DicomWeb

    files = arguments.dicomweb_credentials, arguments.dicomweb_ca
    credentials, ca_file = (None if name is None else Path(name) for name in files)
    return DicomWeb(arguments.dicomweb, credentials=credentials, ca_file=ca_file)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else {"0.0.0.0": "localhost"}.get(host, host)


def _banner(settings: "Settings") -> str:
    patient = "names of patients" if settings.show_patient else "no names of patients"
    return (
        f"OPEN to who reaches {settings.host} and knows the token: radiographs, readings and reviews, {patient}.\n"
        "What goes over the network is not encrypted: put a server with TLS in front of it."
    )


def _take_samples(store: "Store", settings: "Settings") -> None:
    """Phantoms, two views to a case, so that a new page has something to look at."""
    from segtumor.synthesis.phantoms import write_phantom_dataset
    from segtumor.web.intake import take_in

    with tempfile.TemporaryDirectory() as folder:
        write_phantom_dataset(
            folder, cases=_SAMPLE_CASES, seed=_SAMPLE_SEED, size_px=_SAMPLE_SIZE_PX, fractions=(0, 0, 1)
        )
        for path in sorted(Path(folder, "images").glob("*.png")):
            case = f"sample {path.stem.partition('_')[0]}"
            take_in(store, path, path.name, limits=settings.limits, case_name=case, origin="sample")


def _export(store: "Store", arguments: argparse.Namespace) -> None:
    from segtumor.web.exporting import export

    done = export(store, arguments.output, target=arguments.format)
    print(f"Wrote {done.images} reviewed images with {done.lesions} lesions to {arguments.output}")
    if done.not_reviewed:
        print(f"{done.not_reviewed} images are not reviewed and were left out")


def _purge(store: "Store", arguments: argparse.Namespace) -> None:
    match = _AGE.fullmatch(arguments.older_than)
    if match is None:
        raise ConfigError("not an age", where="--older-than", got=arguments.older_than, expected="12h, 30d or 8w")
    age = timedelta(hours=int(match[1]) * _HOURS[match[2]])
    removed = store.remove(store.keys_before(datetime.now(UTC) - age))
    print(f"Removed {removed} images that arrived more than {arguments.older_than} ago, with their reviews")


def _needed() -> "contextlib.AbstractContextManager[None]":
    from segtumor.errors import needed

    return needed("sqlalchemy", "the page is not installed", remedy="Type: pip install 'segtumor[page]'")

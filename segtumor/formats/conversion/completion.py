"""What a format's reader does not see: links, contested names, labels, images without annotation, headers, a table.

Of a DICOM header: case, age, sex, view, spacing; never a name, id or date.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segtumor.annotations.image_names import stem_of
from segtumor.annotations.remarks import LeftOutError, Remark
from segtumor.annotations.tables.image_tables import match_images, read_image_table
from segtumor.arrays import SizeHW
from segtumor.cases import case_of
from segtumor.errors import BadImageError, ConfigError
from segtumor.formats.collection import NORMAL, TAKEN_AS_NORMAL, Collection, SourceImage, Unlisted
from segtumor.formats.conversion.case_salt import load_salt
from segtumor.formats.labels import label_key
from segtumor.formats.sources.files import links_out_of
from segtumor.formats.sources.image_folder import ImageFolder

if TYPE_CHECKING:  # pydicom is slow to import
    from segtumor.imaging.dicom.attributes import Identity


def leave_out_links(collection: Collection, source: Path, images: ImageFolder) -> None:
    """Links that lead out of the folders are left out, and named: what they lead to may be anybody's.

    An image whose annotation may be such a link is not normal for want of one, and is left out, too.
    """
    links: list[str] = []
    for folder in dict.fromkeys(path.resolve() for path in (source, images.root) if path.is_dir()):
        links += links_out_of(folder)
    collection.left_out += [Remark(name, "link that leads out of its folder, not followed") for name in links]
    stems = {stem_of(name).casefold() for name in links}
    known = {image.file_name for image in collection.images}
    for name in images.names if stems else ():
        own = stem_of(name).casefold()
        if name not in known and any(stem == own or stem.startswith((f"{own}_", f"{own}-")) for stem in stems):
            collection.left_out.append(Remark(name, "its annotation may be a link that is not followed"))


def leave_out_contested(collection: Collection, contested: Mapping[str, list[str]]) -> None:
    """Leave out, and name, the images that several names of the annotations could mean: whose outlines are they?"""
    kind = "names of several images lead to this one file"
    collection.images = [image for image in collection.images if image.file_name not in contested]
    collection.left_out += [Remark(file_name, kind, ", ".join(names)) for file_name, names in contested.items()]


def drop_labels(collection: Collection, labels: Iterable[str]) -> None:
    """Take the regions of labels out, in place, and report it by image; raises ConfigError for an unknown label."""
    unwanted = {label_key(label) for label in labels}
    found = {label_key(region.label) for image in collection.images for region in image.regions}
    if unwanted - found:
        raise ConfigError("no annotation has this label", where="--class", got=", ".join(sorted(unwanted - found)))
    for index, image in enumerate(collection.images):
        kept = tuple(region for region in image.regions if label_key(region.label) not in unwanted)
        if len(kept) < len(image.regions):
            count = len(image.regions) - len(kept)
            collection.notes.append(Remark(image.file_name, "regions dropped by their label, as asked", str(count)))
            collection.images[index] = dataclasses.replace(image, regions=kept)


def add_unlisted(
    collection: Collection, names: Iterable[str], size_of: Callable[[str], SizeHW], meaning: Unlisted
) -> int:
    """Add images that no annotation mentions as normal ones, or leave them out; returns how many are left out."""
    known = collection.known | collection.not_images
    unlisted = [name for name in names if name not in known]
    if meaning != NORMAL:
        collection.left_out += [Remark(name, "image without annotation") for name in unlisted]
        return len(unlisted)
    for name in unlisted:
        try:
            collection.images.append(SourceImage(name, size_of(name)))
            collection.notes.append(Remark(name, TAKEN_AS_NORMAL))
        except LeftOutError as reason:
            collection.left_out.append(reason.remark(name))
    return 0


def fields_of_table(path: str | Path | None, collection: Collection) -> dict[str, Any] | None:
    """{file name: fields} of the table; rows without an image and images without a row are remarked on."""
    if not path:
        return None
    names = [image.file_name for image in collection.images]
    unread: list[tuple[str, str]] = []
    elsewhere: list[tuple[str, str]] = []
    kind = "cell of the table that cannot be read, left blank"
    table = read_image_table(path, unread)
    fields, unknown = match_images(table, names, where=path, elsewhere=elsewhere)
    collection.notes += [Remark(image, "in another folder in the table", name) for image, name in elsewhere]
    collection.notes += [Remark(name, kind, what) for name, what in unread]
    collection.notes += [Remark(name, "in the table, but no image that is used") for name in unknown]
    collection.notes += [Remark(name, "not in the table") for name in names if name not in fields]
    return dict(fields)


def add_dicom_headers(
    collection: Collection, salt_path: str | Path | None = None, *, keep_device: bool = False
) -> None:
    """Add to each DICOM image, in place, what its header says; what is known wins.

    Args:
        salt_path: None: the user's own salt.
        keep_device: whether the maker and model of the device are added, too.
    """
    from segtumor.imaging.dicom.attributes import dicom_identity
    from segtumor.imaging.dicom.device import Device, dicom_device
    from segtumor.imaging.listing import is_dicom

    salt: bytes | None = None
    identities: dict[str, Identity] = {}
    for index, image in enumerate(collection.images):
        path = collection.root / image.file_name
        if image.content is not None or not is_dicom(path):
            continue
        if salt is None:
            salt = load_salt(salt_path)
        try:
            fields, identities[image.file_name] = dicom_identity(path, salt=salt)
            device = dicom_device(path) if keep_device else Device({}, ())
        except BadImageError as error:
            collection.notes.append(Remark(image.file_name, "DICOM header not usable", str(error)))
            continue
        attributes = {**fields, **device.fields, **image.attributes}
        kind = "DICOM header: not the name of a device, left out"
        collection.notes += [Remark(image.file_name, kind, name) for name in device.refused]
        collection.images[index] = dataclasses.replace(image, attributes=attributes)
    collection.notes += _notes_on_cases(collection.images, identities)


def _notes_on_cases(images: Iterable[SourceImage], identities: Mapping[str, "Identity"]) -> Iterator[Remark]:
    """Remarks on placeholders in place of a PatientID, known and supposed: they must not make one case of many."""
    read = [image for image in images if image.file_name in identities]
    for image in read:
        if identities[image.file_name].placeholder:
            yield Remark(image.file_name, "PatientID is a placeholder: the study is the case")
    counts = Counter(filter(None, (case_of(image.attributes) for image in read)))
    case, n = counts.most_common(1)[0] if counts else (None, 0)
    studies = {identities[image.file_name].study for image in read if case_of(image.attributes) == case} - {None}
    if len(studies) > 1 and (n == len(read) or n > max(2, len(read) / 2)):
        what = f"{'all' if n == len(read) else 'most'} DICOM images are of one case, though of several studies"
        detail = f"{n} images, {len(studies)} studies: if their PatientID is a placeholder, give the cases by --table"
        yield Remark("", what, detail)

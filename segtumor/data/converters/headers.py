"""What DICOM headers tell about the images of a collection: case, age, sex, view, spacing; never a name, id or date."""

import dataclasses

from segtumor.data.remarks import Remark
from segtumor.errors import BadImageError


def with_dicom_headers(collection, salt_path=None):
    """Add to each DICOM image of ``collection``, in place, what its header tells; what is known already wins.

    Args:
        collection: ``collection.Collection``.
        salt_path: file of the secret that patients' numbers are hashed with; None takes the one in the user's settings.
    """
    from segtumor.imaging.dicom.attributes import dicom_attributes
    from segtumor.imaging.listing import is_dicom

    salt = None
    for index, image in enumerate(collection.images):
        path = collection.root / image.file_name
        if image.content is not None or not is_dicom(path):
            continue
        if salt is None:
            from segtumor.data.case_salt import load_salt

            salt = load_salt(salt_path)
        try:
            attributes = {**dicom_attributes(path, salt=salt), **image.attributes}
        except BadImageError as error:
            collection.notes.append(Remark(image.file_name, "DICOM header not usable", str(error)))
            continue
        collection.images[index] = dataclasses.replace(image, attributes=attributes)

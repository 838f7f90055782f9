"""An image written in an annotation format and read again, for the formats that test it."""

from pathlib import Path

from segtumor.annotations.coco import dataset_of
from segtumor.formats.collection import Collection
from segtumor.formats.conversion.assemble import assemble
from segtumor.formats.sources.image_folder import ImageFolder


class UnseenImages(ImageFolder):
    """Images that need no files, all of one size."""

    def __init__(self, names, size_hw):
        super().__init__("images", names)
        self._size_hw = size_hw

    def size_hw(self, name):
        return self._size_hw


def written_and_read(form, folder, image):
    """COCO documents of a SourceImage before and after, and the Remarks; ``form`` is the module of a format."""
    document = assemble(Collection(root=Path("images"), images=[image])).document
    remarks = form.write(dataset_of(document, "images"), folder)
    assert form.recognises(folder)
    collection = form.read(folder, UnseenImages([image.file_name], image.size_hw))
    assert not collection.left_out and not collection.notes
    return document, assemble(collection).document, remarks

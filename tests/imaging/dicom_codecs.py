"""Compressed frames and the DICOM files around them, for the tests. Needs the decoders' packages."""

import atexit
import functools
import io
import subprocess
import sys
import tempfile
from pathlib import Path

from imaging_files import dicom_bytes
from PIL import Image
from pydicom import dcmread
from pydicom.encaps import get_frame
from pydicom.pixels import get_encoder

UIDS = {
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG baseline": "1.2.840.10008.1.2.4.50",
    "JPEG lossless": "1.2.840.10008.1.2.4.57",
    "JPEG lossless SV1": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG-LS lossy": "1.2.840.10008.1.2.4.81",
    "JPEG 2000 lossless": "1.2.840.10008.1.2.4.90",
    "JPEG 2000": "1.2.840.10008.1.2.4.91",
}
LOSSLESS = ("RLE", "JPEG lossless", "JPEG lossless SV1", "JPEG-LS", "JPEG 2000 lossless")


def codestream(stored, codec, bits=None):
    """(H, W) or, for RLE, JPEG and JPEG 2000, (H, W, 3) unsigned samples -> bytes of one coded frame."""
    bits = bits or stored.dtype.itemsize * 8
    if codec == "RLE":
        return _rle(stored)
    if codec == "JPEG baseline":
        buffer = io.BytesIO()
        Image.fromarray(stored).save(buffer, "JPEG", quality=100, subsampling=0)
        return buffer.getvalue()
    if codec.startswith("JPEG 2000"):
        return _j2k(stored, bits, lossless=codec.endswith("lossless"))
    return _gdcm(stored, UIDS[codec], bits)


def compressed_dicom_bytes(stored, codec, *, bits=None, **elements):
    """A DICOM file of one compressed frame."""
    bits = bits or stored.dtype.itemsize * 8
    depths = {"BitsStored": bits, "HighBit": bits - 1}
    unsigned = stored.view(f"u{stored.dtype.itemsize}") & (2**bits - 1)
    frames = [codestream(unsigned, codec, bits)]
    return dicom_bytes(stored, syntax=UIDS[codec], fragments=frames, **(depths | elements))


def _rle(stored):
    return get_encoder(UIDS["RLE"]).encode(
        stored,
        encoding_plugin="pydicom",
        rows=stored.shape[0],
        columns=stored.shape[1],
        samples_per_pixel=1 if stored.ndim == 2 else stored.shape[2],
        photometric_interpretation="MONOCHROME2" if stored.ndim == 2 else "RGB",
        planar_configuration=0,
        bits_allocated=stored.dtype.itemsize * 8,
        bits_stored=stored.dtype.itemsize * 8,
        pixel_representation=0,
        number_of_frames=1,
    )


def _j2k(stored, bits, lossless):
    from openjpeg.utils import encode_array  # wants at least 32 px a side

    options = {} if lossless else {"compression_ratios": [1]}
    photometric = 2 if stored.ndim == 2 else 1
    return encode_array(stored, bits_stored=bits, photometric_interpretation=photometric, use_mct=False, **options)


#: In a process of its own: where it cannot encode a picture, GDCM leaves memory that ends Python later. One process
#: for all pictures, since starting it takes most of the time: a line with file and syntax in, a line out at the end.
_ENCODER = """
import gdcm, sys
for line in sys.stdin:
    name, uid = line.rstrip().rsplit(" ", 1)
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(name)
    reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(uid)))
    change.SetInput(reader.GetImage())
    changed = change.Change()
    writer.SetFileName(name)
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    if not (changed and writer.Write()):
        sys.exit(1)
    print("done", flush=True)
"""


def _gdcm(stored, uid, bits):
    return _gdcm_encoded(dicom_bytes(stored, BitsStored=bits, HighBit=bits - 1), uid)


@functools.cache
def _encoder():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    encoder = subprocess.Popen([sys.executable, "-c", _ENCODER], text=True, **pipes)
    atexit.register(_end, encoder)
    return encoder


def _end(encoder):
    encoder.stdin.close()
    encoder.stdout.close()
    encoder.wait()


@functools.cache
def _gdcm_encoded(data, uid):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.dcm"
        path.write_bytes(data)
        encoder = _encoder()
        encoder.stdin.write(f"{path} {uid}\n")
        encoder.stdin.flush()
        assert encoder.stdout.readline() == "done\n"
        return get_frame(dcmread(path).PixelData, 0, number_of_frames=1)

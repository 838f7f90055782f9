"""One picture in many files: PNG, TIFF and every DICOM variant give the same array."""

import io

import numpy as np
import pytest
from imaging_files import GRAY as SMALL
from imaging_files import dicom_bytes, png_bytes, tiff_bytes
from PIL import Image

from segtumor.imaging import read_radiograph, read_size_hw

pytest.importorskip("pydicom")
from dicom_codecs import LOSSLESS, UIDS, codestream, compressed_dicom_bytes

GRAY = np.kron(SMALL, np.ones((8, 7), np.uint8))  # JPEG 2000 wants 32 px
GRAY16, GRAY12 = GRAY.astype(np.uint16) * 257, GRAY.astype(np.uint16) * 257 >> 4
UNIT = GRAY / 255
IMPLICIT, EXPLICIT, BIG, DEFLATED = (f"1.2.840.10008.1.2{rest}" for rest in ("", ".1", ".2", ".1.99"))
WINDOW8 = {"WindowCenter": 127.5, "WindowWidth": 255, "VOILUTFunction": "LINEAR_EXACT"}
RESCALED8 = WINDOW8 | {"RescaleSlope": 4, "RescaleIntercept": -1024, "WindowCenter": -514, "WindowWidth": 1020}
WINDOW12 = WINDOW8 | {"WindowCenter": 2047.5, "WindowWidth": 4095}
WINDOW16 = WINDOW8 | {"WindowCenter": 32767.5, "WindowWidth": 65535}
BITS12 = {"BitsStored": 12, "HighBit": 11}
SIGNED12 = WINDOW12 | {"WindowCenter": -0.5}
GAMMA = {"LUTDescriptor": ("US", [256, 0, 16]), "LUTData": ("US", [level * 257 for level in range(256)])}


def frames_of_three():
    return np.stack([GRAY[::-1], GRAY, 255 - GRAY])


def enhanced():
    wrong, right = ({"FrameVOILUTSequence": [{"WindowCenter": 5, "WindowWidth": width}]} for width in (1, 9))
    right["FrameVOILUTSequence"][0].update({"WindowCenter": 127.5, "WindowWidth": 256.0})
    shared = {"PixelValueTransformationSequence": [{"RescaleSlope": 1, "RescaleIntercept": 0}]}
    return dicom_bytes(
        GRAY,
        PixelData=frames_of_three().tobytes(),
        NumberOfFrames=3,
        sequences={
            "PerFrameFunctionalGroupsSequence": [wrong, right, wrong],
            "SharedFunctionalGroupsSequence": [shared],
        },
    )


FILES = {
    "png 8 bit": lambda: png_bytes(GRAY, 0),
    "png 16 bit": lambda: png_bytes(GRAY16, 0),
    "tiff": lambda: tiff_bytes(GRAY, 1),
    "tiff 16 bit": lambda: tiff_bytes(GRAY16, 1),
    "implicit": lambda: dicom_bytes(GRAY, syntax=IMPLICIT, **WINDOW8),
    "explicit": lambda: dicom_bytes(GRAY, syntax=EXPLICIT, **WINDOW8),
    "big endian": lambda: dicom_bytes(GRAY16, syntax=BIG, **WINDOW16),
    "deflated": lambda: dicom_bytes(GRAY, syntax=DEFLATED, **WINDOW8),
    "deflated 16 bit": lambda: dicom_bytes(GRAY16, syntax=DEFLATED, **WINDOW16),
    "MONOCHROME1": lambda: dicom_bytes(255 - GRAY, PhotometricInterpretation="MONOCHROME1", **WINDOW8),
    "presentation": lambda: dicom_bytes(255 - GRAY, PresentationLUTShape="INVERSE", **WINDOW8),
    "12 in 16 bit": lambda: dicom_bytes(GRAY12 | 0xA000, **BITS12, **WINDOW12),
    "12 in 16 bit, high": lambda: dicom_bytes(GRAY12 << 4, BitsStored=12, HighBit=15, **WINDOW12),
    "signed": lambda: dicom_bytes(GRAY.astype(np.int16) - 128, **(WINDOW8 | {"WindowCenter": -0.5})),
    "signed 12 in 16": lambda: dicom_bytes(
        (GRAY12.astype(np.int16) - 2048) & 0xFFF, PixelRepresentation=1, **BITS12, **SIGNED12
    ),
    "rescaled": lambda: dicom_bytes(GRAY, **RESCALED8),
    "negative slope": lambda: dicom_bytes(255 - GRAY, RescaleSlope=-1, RescaleIntercept=255, **WINDOW8),
    "modality table": lambda: dicom_bytes(GRAY, sequences={"ModalityLUTSequence": [GAMMA]}, **WINDOW16),
    "voi table": lambda: dicom_bytes(GRAY, sequences={"VOILUTSequence": [GAMMA]}),
    "two windows": lambda: dicom_bytes(
        GRAY, WindowCenter=[127.5, 3], WindowWidth=[255, 1], VOILUTFunction="LINEAR_EXACT"
    ),
    "colour": lambda: dicom_bytes(np.stack([GRAY] * 3, -1)),
    "colour by plane": lambda: dicom_bytes(
        np.stack([GRAY] * 3, -1), PlanarConfiguration=1, PixelData=np.stack([GRAY] * 3).tobytes()
    ),
    "YBR_FULL": lambda: dicom_bytes(
        np.stack([GRAY, GRAY * 0, GRAY * 0 + 9], -1), PhotometricInterpretation="YBR_FULL"
    ),
    "RLE colour": lambda: compressed_dicom_bytes(np.stack([GRAY] * 3, -1), "RLE"),
    "JPEG colour": lambda: compressed_dicom_bytes(
        np.stack([GRAY] * 3, -1), "JPEG baseline", PhotometricInterpretation="YBR_FULL_422"
    ),
    "JPEG baseline": lambda: compressed_dicom_bytes(GRAY, "JPEG baseline", **WINDOW8),
    "JPEG extended": lambda: dicom_bytes(
        GRAY, syntax="1.2.840.10008.1.2.4.51", fragments=[codestream(GRAY, "JPEG baseline")], **WINDOW8
    ),
    **{codec: lambda c=codec: compressed_dicom_bytes(GRAY, c, **WINDOW8) for codec in UIDS if "JPEG b" not in codec},
    **{
        f"{codec}, 12 bit": lambda c=codec: compressed_dicom_bytes(GRAY12, c, bits=12, **WINDOW12)
        for codec in LOSSLESS
    },
    **{
        f"{codec}, signed": lambda c=codec: compressed_dicom_bytes(
            GRAY12.astype(np.int16) - 2048, c, bits=12, **SIGNED12
        )
        for codec in LOSSLESS
    },
}  # fmt: skip


def coded_frames(codec):
    frames = [codestream(frame, codec) for frame in frames_of_three()]
    return dicom_bytes(GRAY, syntax=UIDS[codec], NumberOfFrames=3, fragments=frames, **WINDOW8)


FRAMES = {
    "native": lambda: dicom_bytes(GRAY, PixelData=frames_of_three().tobytes(), NumberOfFrames=3, **WINDOW8),
    "big endian, 8 bit in words": lambda: dicom_bytes(
        GRAY, syntax=BIG, NumberOfFrames=3, PixelData=frames_of_three().tobytes(), **WINDOW8
    ),
    "deflated": lambda: dicom_bytes(
        GRAY, syntax=DEFLATED, PixelData=frames_of_three().tobytes(), NumberOfFrames=3, **WINDOW8
    ),
    "enhanced": enhanced,
    **{codec: lambda c=codec: coded_frames(c) for codec in ("RLE", "JPEG-LS", "JPEG 2000 lossless", "JPEG baseline")},
}  # fmt: skip

#: Lossy codecs at their best and 12 of 16 bits are off by less than one level of 255.
TOLERANCE = 1.01 / 255


@pytest.mark.parametrize("case", FILES)
def test_the_same_array_comes_out(case, tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(FILES[case]())
    np.testing.assert_allclose(read_radiograph(path).pixels, UNIT, atol=TOLERANCE)
    assert read_size_hw(path) == GRAY.shape


@pytest.mark.parametrize("case", FRAMES)
def test_a_chosen_frame_is_the_same_array(case, tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(FRAMES[case]())
    np.testing.assert_allclose(read_radiograph(path, frame=1).pixels, UNIT, atol=TOLERANCE)


def test_lossless_codecs_lose_nothing(tmp_path):
    noise = np.random.default_rng(3).integers(0, 65536, (33, 40)).astype(np.uint16)
    expected = noise / 65535
    for codec in LOSSLESS:
        path = tmp_path / codec
        path.write_bytes(compressed_dicom_bytes(noise, codec, **WINDOW16))
        np.testing.assert_allclose(read_radiograph(path).pixels, expected, atol=1e-6, err_msg=codec)


def test_colour_in_jpeg_2000(tmp_path):
    path = tmp_path / "picture"
    path.write_bytes(compressed_dicom_bytes(np.stack([GRAY] * 3, -1), "JPEG 2000 lossless"))
    np.testing.assert_allclose(read_radiograph(path).pixels, UNIT, atol=1e-6)


def test_colour_jpeg_is_the_luma_that_pillow_gives(tmp_path):
    colors = np.random.default_rng(4).integers(0, 256, (16, 24, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(colors).save(buffer, "JPEG", quality=95)
    theirs = np.asarray(Image.open(buffer).convert("L")) / 255
    path = tmp_path / "picture"
    path.write_bytes(
        dicom_bytes(
            colors,
            syntax=UIDS["JPEG baseline"],
            fragments=[buffer.getvalue()],
            PhotometricInterpretation="YBR_FULL_422",
        )
    )
    np.testing.assert_allclose(read_radiograph(path).pixels, theirs, atol=1.01 / 255)

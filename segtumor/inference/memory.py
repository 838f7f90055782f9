"""Whether an error means that memory ran out; frameworks say so in many ways."""

# torch on a processor and on a GPU, oneDNN, ONNX Runtime, OpenVINO, OpenCV; lower case.
_SAYINGS = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "bad_alloc",
    "bad allocation",
    "failed to allocate",
    "insufficient memory",
    "could not create a memory",
)


def is_out_of_memory(error):
    """Whether ``error``, or the one that it was raised from, says that memory ran out."""
    while error is not None:
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            return True
        if any(saying in str(error).lower() for saying in _SAYINGS):
            return True
        # Of a damaged DICOM file only the kind of the error is kept (imaging.failures).
        if str(getattr(error, "got", "")).startswith("MemoryError"):
            return True
        error = error.__cause__
    return False

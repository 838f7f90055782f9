"""Several readers, and a model, on the same images: agreement, errors, reading time, multi-reader multi-case tests."""

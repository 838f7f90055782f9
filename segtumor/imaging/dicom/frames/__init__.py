"""From the stored bytes of a frame to samples: fragments, codecs, limits."""

"""What is known of each image and lesion, once: matching, overlap, calls. Nothing is averaged here."""

"""Exchange with an archive of radiographs (PACS): DICOMweb, where we ask, and C-STORE, where others send."""

"""A reading as DICOM objects in the patient's study: segmentation, measurement report, secondary capture."""

"""The graphs of a model in a runtime: onnxruntime, OpenVINO or torch."""

"""Bundles: a bank version as one zip file that scores images on machines without PyTorch and proves itself there.

`scorer`, `engines`, `reading` and `program` need numpy, OpenCV and ONNX Runtime or OpenVINO alone, and lie in every
bundle; `writing` makes one of a workspace, and `importing` a version of one. The room knows detectors and bank
versions. It does not know pages or who asks.
"""

"""Optimises an ONNX image classifier for one target, and quantises it where that pays."""

"""Narrower models: channels taken out of a state dict, and a run with a VGG made a start for fine-tuning."""

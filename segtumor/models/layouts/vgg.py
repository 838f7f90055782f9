"""torchvision's VGG, whose convolutions have the same names here."""

KEY = "features.0.weight"
# VGG's two hidden fully connected layers are the box head of Fast R-CNN (Girshick 2015, section 2.3).
_HEADS = {"classifier.0.": "roi_heads.box_head.fc1.", "classifier.3.": "roi_heads.box_head.fc2."}


def own_name(name: str) -> str:
    """``classifier.0.bias`` -> ``roi_heads.box_head.fc1.bias``; ``features.*`` stay."""
    for theirs, own in _HEADS.items():
        name = name.replace(theirs, own)
    return name

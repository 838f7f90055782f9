"""Pictures of radiographs: overlays and contact sheets."""

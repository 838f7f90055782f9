"""Models that judge every pixel."""

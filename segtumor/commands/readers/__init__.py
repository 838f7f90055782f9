"""Commands about several readers."""

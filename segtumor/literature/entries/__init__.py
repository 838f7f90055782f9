"""Published sources as YAML: their form, reading and checking them."""

"""Label Studio: JSON export and import."""

"""What is written beside a result: tables and JSON, one file per kind of result."""

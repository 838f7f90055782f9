"""Tables that people bring: spreadsheets, CSV, and what is known about each image."""
